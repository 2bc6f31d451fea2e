# SPDX-License-Identifier: Apache-2.0
"""A Docker engine of the tests' own: its sockets, images and state lie in one fresh folder, and nothing of it is left when
it has been stopped. Spoken to by nothing but http.client."""
import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse

from harness import wait_until

START_LIMIT = 90
ANSWER_LIMIT = 180
STOP_LIMIT = 60
HOLD_TRIES = 100
MEMORY = 2 << 30
API = "/v1.41"
CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class EngineError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


def why_none():
    """Why no engine can be started here; None when one can be tried."""
    if os.geteuid() != 0:
        return "a Docker engine of its own needs root"
    for program in ("dockerd", "containerd", "runc"):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            return f"{program} is not installed (Debian: docker.io)"
    return None


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_LIMIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def mounts_below(folder):
    """Mount points in a folder, the deepest first."""
    points = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), key=len, reverse=True)


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if entry.isdigit() and int(pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry))
    return found


def is_ours(pid, folder):
    """Whether a process's arguments name the engine's folder."""
    with contextlib.suppress(OSError):
        return os.fsencode(str(folder)) in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def groups_below(name):
    """Control groups in the group of this name, of every hierarchy; it may go while one looks."""
    found = []
    for place in CGROUPS.glob(f"*/{name}"):
        with contextlib.suppress(FileNotFoundError):
            found += [entry for entry in place.iterdir() if entry.is_dir()]
    return found


def remove_group(path):
    for below in sorted((entry for entry in path.rglob("*") if entry.is_dir()), key=lambda entry: -len(entry.parts)):
        below.rmdir()
    path.rmdir()


class Engine:
    def __init__(self, *options, memory=MEMORY):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="be-", dir="/tmp"))  # short: unix sockets are made below it
        self.socket = str(self.folder / "docker.sock")
        self.group = self.folder.name
        self.process = None
        # In memory where that can be had: images are unpacked at once, and deleted files cost no disk its time.
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={memory},mode=755", "berth-engine", self.folder], check=False,
                       stderr=subprocess.DEVNULL)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        arguments = ["dockerd", "--host", f"unix://{self.socket}", "--data-root", self.folder / "data", "--exec-root",
                     self.folder / "exec", "--pidfile", self.folder / "pid", "--cgroup-parent", f"/{self.group}", "--bridge=none",
                     "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--userland-proxy=false",
                     "--log-level=warn", "--group=root", "--max-download-attempts=1", "--exec-opt", "native.cgroupdriver=cgroupfs",
                     *self.options]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder)}
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([str(each) for each in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment, cwd="/", start_new_session=True)
        wait_until(self._answers, START_LIMIT, f"the engine answers\n{self.log()}")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"dockerd ended with {self.process.returncode}\n{self.log()}")
        try:
            return self.request("GET", "/_ping", decode=False) == b"OK"
        except (OSError, http.client.HTTPException, EngineError):
            return False

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text(errors="replace")[-8000:]
        return ""

    def request(self, method, path, body=None, content_type="application/json", decode=True, headers=None, **query):
        """The answer's JSON (or its bytes); EngineError for a status of 400 and above."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        connection = Connection(self.socket)
        try:
            data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
            kind = {"Content-Type": content_type} if data is not None else {}
            connection.request(method, API + path, data, {**kind, **(headers or {})})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            try:
                message = json.loads(answer)["message"]
            except (ValueError, KeyError):
                message = answer[:500]
            raise EngineError(response.status, message)
        return (json.loads(answer) if answer else None) if decode else answer

    def info(self):
        return self.request("GET", "/info")

    def import_image(self, name, archive, changes=()):
        """An image of the files of a tar: bytes, or the path of one."""
        query = {"fromSrc": "-", "repo": name, "tag": "latest"}
        query = [*query.items(), *(("changes", change) for change in changes)]
        data = archive if isinstance(archive, bytes) else open(archive, "rb")
        with contextlib.nullcontext() if isinstance(archive, bytes) else data:
            said = self.request("POST", "/images/create?" + urllib.parse.urlencode(query), data, "application/x-tar", decode=False)
        assert b'"errorDetail"' not in said, said
        return name

    def has_image(self, name):
        try:
            self.request("GET", f"/images/{name}/json")
        except EngineError as error:
            if error.status != 404:
                raise
            return False
        return True

    def create(self, name, config):
        return self.request("POST", f"/containers/create?name={name}", config)["Id"]

    def put_archive(self, container, path, archive):
        self.request("PUT", f"/containers/{container}/archive?" + urllib.parse.urlencode({"path": path}), archive, "application/x-tar")

    def start_container(self, container):
        self.request("POST", f"/containers/{container}/start")

    def inspect(self, container):
        return self.request("GET", f"/containers/{container}/json")

    def signal(self, container, number):
        self.request("POST", f"/containers/{container}/kill", signal=int(number))

    def logs(self, container):
        """Its log as text: the frames' headers are dropped."""
        data = self.request("GET", f"/containers/{container}/logs?stdout=1&stderr=1", decode=False)
        text = b""
        while len(data) >= 8:
            size = int.from_bytes(data[4:8], "big")
            text += data[8:8 + size]
            data = data[8 + size:]
        return text.decode(errors="replace")

    def remove(self, container):
        with contextlib.suppress(EngineError):
            self.request("DELETE", f"/containers/{container}", force=1, v=1)

    def containers(self):
        return [each["Id"] for each in self.request("GET", "/containers/json", all=1)]

    def stop(self):
        """Ends it; nothing is left of it: no process, mount, group or file."""
        try:
            if self.process is not None:
                self._end_processes()
        finally:
            for point in mounts_below(self.folder):
                subprocess.run(["umount", "--lazy", point], check=False)
            if os.path.ismount(self.folder):
                subprocess.run(["umount", "--lazy", self.folder], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
            for controller in CGROUPS.iterdir() if CGROUPS.is_dir() else ():
                if (controller / self.group).is_dir():
                    remove_group(controller / self.group)

    def _end_processes(self):
        if self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException, EngineError):
                for container in self.containers():
                    self.remove(container)
        family = [pid for pid in children_of(self.process.pid) if is_ours(pid, self.folder)]
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in family:
            if is_ours(pid, self.folder):
                os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(is_ours(pid, self.folder) for pid in family), STOP_LIMIT, "the engine's helpers end")


def make_and_hold(group):
    """A group's lock, without which a slot server that starts on this machine takes it for left behind; one may do so before it
    is held."""
    for _ in range(HOLD_TRIES):
        with contextlib.suppress(FileNotFoundError):
            group.mkdir(parents=True, exist_ok=True)
            lock = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if group.is_dir() and os.path.samestat(os.fstat(lock), os.stat(group)):
                return lock
            os.close(lock)
    raise AssertionError(f"{group} is swept away each time that it is made")


class Delegation:
    """Groups for a container's slots, made beside the container's own and bound into it, as the docker driver does."""

    def __init__(self, name):
        self.parent = f"/berth/{name}"
        self.made = []
        self.held = []
        for controller in CONTROLLERS:
            group = CGROUPS / controller / f"berth/{name}"
            if (CGROUPS / controller / "tasks").exists():
                self.made.append(group)
                self.held.append(make_and_hold(group))
                (group / "slots").mkdir()

    def binds(self, place):
        return [f"{group}/slots:{place}/{group.parent.parent.name}" for group in self.made]

    def left(self):
        # The engine makes its part of the path in every hierarchy, and leaves it there.
        return [group for group in CGROUPS.glob(f"*{self.parent}") if group.is_dir()]

    def remove(self):
        while self.held:
            os.close(self.held.pop())
        for group in self.left():
            with contextlib.suppress(OSError):
                remove_group(group)
            with contextlib.suppress(OSError):
                group.parent.rmdir()
