# SPDX-License-Identifier: Apache-2.0
"""Starts slot servers, stops them by their own pid, and proves that they left no process behind."""
import contextlib
import functools
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

from wire import Wire

IN_CONTAINER = os.environ.get("BERTH_CONTRACT_IN") == "container"  # rather than on this machine
START_LIMIT = 60
STOP_LIMIT = 25   # five times what design asks of a stop
LEAK_LIMIT = 10
FRESH_UID = 61234  # an ordinary user with no entry in /etc/passwd


def program():
    path = pathlib.Path(os.environ["BERTH_BIN_DIR"]) / "berth-slotd"
    assert path.exists(), f"{path} is missing: build berth-slotd"
    return path


@functools.cache
def is_sanitized():
    """Whether the server is built with a sanitizer, whose shadow and quarantine are memory too and which slows it down."""
    return any(name in program().read_bytes() for name in (b"__asan_init", b"__tsan_init"))


def allowed(size):
    """A bound on the server's memory, in bytes."""
    return 4 * size + (768 << 20) if is_sanitized() else size


def patient(seconds):
    """A limit on what the server takes."""
    return 10 * seconds if is_sanitized() else seconds


def wait_until(condition, limit, what):
    """Polls until the condition holds; returns its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.02)


def process_facts(pid):
    """(parent, state, start time), or None when there is no such process."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0], int(fields[19])


def processes():
    found = {}
    for entry in os.listdir("/proc"):
        facts = process_facts(entry) if entry.isdigit() else None
        if facts:
            found[int(entry)] = facts
    return found


def descendants(pid):
    """{(pid, start time)} of everything below a process."""
    table = processes()
    below, grown = {pid}, True
    while grown:
        more = {child for child, facts in table.items() if facts[0] in below} - below
        below |= more
        grown = bool(more)
    return {(child, table[child][2]) for child in below - {pid}}


def alive(identity):
    pid, start = identity
    facts = process_facts(pid)
    return facts is not None and facts[2] == start and facts[1] != "Z"


def config_bytes(config):
    return config if isinstance(config, bytes) else (config if isinstance(config, str) else json.dumps(config)).encode()


class Slotd:
    """One running server. `user` is the uid it runs as; `config` a text, bytes or what JSON is made of; `token` the text of its
    token's file. `beside`: a server in whose network it stands; here they all stand in one."""

    def __init__(self, user=0, slots=4, config=None, arguments=(), listen=None, port=0, data_dir=None, env=None, pass_fds=(),
                 address_flag="--listen", token=None, beside=None):
        self.user = user
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-contract-"))
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data" if data_dir is None else data_dir
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        self.binary = self.folder / "berth-slotd"  # a copy: the build may lie where an ordinary user cannot go
        shutil.copy(program(), self.binary)
        self.binary.chmod(0o755)
        options = [address_flag, listen or "127.0.0.1", "--data-dir", str(self.data_dir), "--slots", str(slots)]
        options += [] if listen and listen.startswith("unix:") else ["--port", str(port)]
        if config is not None:
            (self.folder / "config.json").write_bytes(config_bytes(config))
            options += ["--config", str(self.folder / "config.json")]
        if token is not None:
            (self.folder / "token").touch(mode=0o600)
            (self.folder / "token").write_text(token)
            options += ["--token-file", str(self.folder / "token")]
        self._give_to_user()
        self._spawn([*options, *arguments], env, pass_fds)
        self.listen = listen

    def _give_to_user(self):
        if self.user != os.geteuid():
            for path in (self.folder, self.data_dir, self.folder / "token"):
                if path.exists():
                    os.chown(path, self.user, self.user)

    def _spawn(self, options, env, pass_fds):
        ready, ready_end = os.pipe()
        lifeline_end, self.lifeline = os.pipe()
        self.ready_fd = ready
        identity = {"user": self.user, "group": self.user, "extra_groups": []} if self.user != os.geteuid() else {}
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [str(self.binary), *options, "--ready-fd", str(ready_end), "--lifeline-fd", str(lifeline_end)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(ready_end, lifeline_end, *pass_fds),
                env=os.environ if env is None else env, cwd="/", **identity)
        os.close(ready_end)
        os.close(lifeline_end)

    def ready_line(self):
        """What the server says of its start: one JSON object."""
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.ready_fd], [], [], START_LIMIT)[0], f"no word from the server\n{self.log()}"
            chunk = os.read(self.ready_fd, 4096)
            assert chunk, f"the server ended before it was ready: {line!r}\n{self.log()}"
            line += chunk
        return json.loads(line)

    def connect(self):
        self.ready = self.ready_line()
        assert self.ready["ok"] is True, self.ready
        unix = self.listen and self.listen.startswith("unix:")
        self.wire = Wire(self.listen[len("unix:"):] if unix else self.ready["port"])
        # It listens while its rooms are being built: calls wait for their room, file routes answer 503 until then.
        wait_until(self.all_rooms_stand, START_LIMIT, "every slot has its room")
        return self

    def tcp_port(self):
        """The port of 127.0.0.1 that clients call it by."""
        return self.wire.address

    def all_rooms_stand(self):
        health = self.wire.health()
        return health["ready"] == health["slots"]

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-20_000:]

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def stop(self):
        """Ends it and checks that nothing of it is left."""
        try:
            family = descendants(self.process.pid) if self.process.poll() is None else set()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired as late:
                raise AssertionError(f"the server did not stop within {STOP_LIMIT} s\n{self.log()}") from late
            wait_until(lambda: not any(map(alive, family)), LEAK_LIMIT,
                       f"processes left behind: {[identity for identity in family if alive(identity)]}")
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.ready_fd, self.lifeline):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        shutil.rmtree(self.folder, ignore_errors=True)


class Slot:
    """One slot as its user sees it."""

    def __init__(self, server, name):
        self.server = server
        self.wire = server.wire
        self.name = name

    def run(self, tool, args=None, **fields):
        return self.wire.run(self.name, tool, args, **fields)

    def bash(self, command, timeout=60, **args):
        return self.run("bash", {"command": command, **args}, timeout=timeout)

    def output(self, command, timeout=60):
        result = self.bash(command, timeout)
        assert result["success"], result
        return result["output"]

    def exec(self, *argv, timeout=60, **args):
        return self.run("exec", {"argv": list(argv), **args}, timeout=timeout)

    def python(self, source, *arguments, timeout=60):
        """Runs Python source inside the slot and reads the JSON value that it prints."""
        result = self.exec("/usr/bin/python3", "-", *arguments, stdin=source, timeout=timeout)
        assert result["success"], result
        return json.loads(result["output"])

    def read(self, path):
        return self.run("read_file", {"path": path})

    def write(self, path, content):
        return self.run("write_file", {"path": path, "content": content})

    def put(self, path, content):
        reply = self.wire.request("PUT", f"/slots/{self.name}/files/{path}", content)
        assert 200 <= reply.status < 300, (reply.status, reply.body[:500])

    def reset(self):
        answer = self.wire.reset(self.name)
        assert answer["success"] is True, answer
        return answer
