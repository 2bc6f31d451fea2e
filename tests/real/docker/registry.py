# SPDX-License-Identifier: Apache-2.0
"""A registry of images on loopback, and a slow door before it."""
import base64
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from harness import wait_until

START_LIMIT = 60
CHUNK = 32 << 10
USER, PASSWORD = "puller", "canary-pw-7c1e"
HTPASSWD = "puller:$2b$04$zYp4gxPRjzZuO9zT0RxdiOpJHZPJeX6eyI8am0YJZ2x3YqrsrAKRi\n"  # bcrypt


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def auth_header(user, password, server):
    """X-Registry-Auth, as the engine reads it."""
    return base64.urlsafe_b64encode(json.dumps({"username": user, "password": password, "serveraddress": server}).encode()).decode()


def docker_config(server, user, password):
    """Docker's configuration file with the credentials of one registry."""
    return json.dumps({"auths": {server: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}})


class Registry:
    """Debian's docker-registry; with `locked` it wants USER and PASSWORD."""

    def __init__(self, locked=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="br-", dir="/tmp"))
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.headers = {"X-Registry-Auth": auth_header(USER, PASSWORD, self.host)}
        config = {"version": "0.1", "log": {"level": "error"}, "http": {"addr": self.host, "secret": "of the tests"},
                  "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}}}
        if locked:
            (self.folder / "htpasswd").write_text(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(json.dumps(config))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", self.folder / "config.yml"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd="/")
        try:
            wait_until(self._answers, START_LIMIT, "the registry answers")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def push(self, engine, image, name):
        """Sends an image of the engine's here and takes its name away there. The name for who pulls it through `host`."""
        engine.request("POST", f"/images/{image}/tag", decode=False, repo=f"{self.host}/{name}", tag="1")
        said = engine.request("POST", f"/images/{self.host}/{name}/push?tag=1", decode=False, headers=self.headers)
        assert b'"errorDetail"' not in said, said
        for each in (image, f"{self.host}/{name}:1"):
            engine.request("DELETE", f"/images/{each}", force=1)
        assert not engine.has_image(f"{self.host}/{name}:1")
        return f"{self.host}/{name}:1"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(START_LIMIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Door:
    """Passes connections on to a port of this machine, `rate` bytes a second towards the client; after `most` bytes it is
    gone, with every connection."""

    def __init__(self, port, rate, most=None):
        self.target, self.rate, self.most = port, rate, most
        self.passed = 0
        self.lock = threading.Lock()
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                with self.lock:
                    self.open += [client, server]
                threading.Thread(target=self._copy, args=(client, server, None), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, client, self.rate), daemon=True).start()

    def _copy(self, source, sink, rate):
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if rate:
                    time.sleep(len(data) / rate)
                    self.passed += len(data)
                sink.sendall(data)
                if self.most and self.passed > self.most:
                    self.close()
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for each in self.open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self.open.clear()
