# SPDX-License-Identifier: Apache-2.0
"""An engine behind TCP with TLS, which wants to see a certificate: the variables that other Docker clients read."""
import contextlib
import socket
import ssl
import threading

import pytest

from certificates import Authority
from driver_fixtures import docker_tls_env

JOB = """job: one
driver: docker
slots: 1
isolation: best-effort
steps: [{name: hello, tool: bash, args: {command: echo hello}}]
"""


class TlsDoor:
    """Takes TLS connections of those whom `authority` knows, and passes their bytes on to the engine's socket."""

    def __init__(self, folder, authority, target):
        cert, key = authority.issue("door")
        (folder / "door.pem").write_text(cert)
        (folder / "door-key.pem").write_text(key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "door.pem", folder / "door-key.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(authority.pem)
        self.target = target
        self.served = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        with contextlib.suppress(OSError), self.context.wrap_socket(plain, server_side=True) as client, \
                socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.target)
            self.served += 1
            back = threading.Thread(target=self._copy, args=(engine, client), daemon=True)
            back.start()
            self._copy(client, engine)
            back.join()

    @staticmethod
    def _copy(source, sink):
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


@pytest.fixture
def door(engine, tmp_path):
    (tmp_path / "server").mkdir()
    authority = Authority(tmp_path / "server")
    made = TlsDoor(tmp_path / "server", authority, engine.socket)
    made.authority = authority
    yield made
    made.close()


def test_an_engine_that_wants_a_certificate_is_shown_it(machine, door, image):
    variables = docker_tls_env(machine, f"127.0.0.1:{door.port}", door.authority, door.authority)
    code, out, said = machine.berth("run", machine.write("one.yaml", JOB), "--set", f"image={image('busybox')}", env=variables)
    assert code == 0 and "hello" in out, said
    assert door.served > 0


def test_an_engine_of_an_unknown_authority_is_told_nothing(machine, door, image, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    variables = docker_tls_env(machine, f"127.0.0.1:{door.port}", other, door.authority)
    code, _, said = machine.berth("run", machine.write("one.yaml", JOB), "--set", f"image={image('busybox')}", env=variables)
    assert code == 3 and "certificate" in said
    assert door.served == 0


def test_a_client_without_a_certificate_is_sent_away(machine, door, image, tmp_path):
    (tmp_path / "other").mkdir()
    variables = docker_tls_env(machine, f"127.0.0.1:{door.port}", door.authority, Authority(tmp_path / "other"))
    code, _, said = machine.berth("run", machine.write("one.yaml", JOB), "--set", f"image={image('busybox')}", env=variables)
    assert code == 3 and f"tcp://127.0.0.1:{door.port}" in said
    assert door.served == 0
