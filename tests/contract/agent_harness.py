# SPDX-License-Identifier: Apache-2.0
"""Starts agents, speaks to them by HTTP and by the command line, stops them, and proves that nothing of them is left."""
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import LEAK_LIMIT, alive, descendants, wait_until
from wire import Wire

START_LIMIT = 60
COMMAND_LIMIT = 60
STOP_LIMIT = 5 * 8  # a stop takes the drain that the test set, and 8 s at most: answers 2 s, containers 5 s
POOL = "job: pool\nslots: 4\nisolation: best-effort\n"


def bin_dir():
    return pathlib.Path(os.environ["BERTH_BIN_DIR"])


class Machine:
    """A folder with copies of the programs that `user` may run: the build may lie where an ordinary user cannot go."""

    def __init__(self, user):
        self.user = user
        # Short: unix sockets are made below it.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ba-", dir="/tmp"))
        self.folder.chmod(0o755)
        (self.folder / "bin").mkdir(mode=0o755)
        for name in ("berth", "berth-slotd"):
            shutil.copy(bin_dir() / name, self.folder / "bin" / name)
            (self.folder / "bin" / name).chmod(0o755)
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o755)
        self.give(self.home)
        self.started = []

    def give(self, path):
        if self.user != os.geteuid():
            os.chown(path, self.user, self.user)

    def write(self, name, text, mode=0o644):
        path = self.home / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        for each in (path, path.parent):
            self.give(each)
        return path

    def popen(self, *arguments, env=None, **more):
        identity = {"user": self.user, "group": self.user, "extra_groups": []} if self.user != os.geteuid() else {}
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), **(env or {})}
        self.started.append(subprocess.Popen([self.folder / "bin" / "berth", *map(str, arguments)], env=environment,
                                             cwd=more.pop("cwd", self.home), **identity, **more))
        return self.started[-1]

    def berth(self, *arguments, env=None, stdin=None, **more):
        """(exit code, stdout, stderr) of a command."""
        process = self.popen(*arguments, env=env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **more)
        try:
            out, err = process.communicate(stdin, timeout=COMMAND_LIMIT)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return process.returncode, out, err

    def remove(self):
        """Whatever a test left running ends here: a failed one may have left all of it."""
        family = set()
        for process in self.started:
            if process.poll() is None:
                family |= descendants(process.pid)
                process.kill()
                process.wait()
        wait_until(lambda: not any(map(alive, family)), LEAK_LIMIT, "slot servers end with their agent")
        shutil.rmtree(self.folder, ignore_errors=True)


class Agent:
    """One `berth agent`; `arguments` beside --state-dir and --listen. `tls`: how it is spoken to where it serves https."""

    def __init__(self, machine, *arguments, listen="127.0.0.1:0", state="state", env=None, jobs=POOL, before_exec=None,
                 tls=None):
        self.machine = machine
        self.tls = tls
        self.client_env = {}  # for the commands that speak to it
        self.state = machine.home / state
        self.log_path = machine.folder / f"log-{time.monotonic_ns()}"
        if jobs is not None:
            machine.write("jobs/pool.yaml", jobs)
            arguments = ("--jobs", "jobs", *arguments)
        with open(self.log_path, "wb") as log:
            self.process = machine.popen("agent", "--listen", listen, "--state-dir", self.state, *arguments, env=env,
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=before_exec)
        self.token = ""

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, pattern, limit=START_LIMIT):
        """The first match in the log."""

        def look():
            found = re.search(pattern, self.log())
            assert found or self.process.poll() is None, f"the agent ended: {self.process.returncode}\n{self.log()}"
            return found

        return wait_until(look, limit, f"{pattern} in\n{self.log_path}")

    def serving(self):
        """Waits until it serves; sets address and wire."""
        self.address = self.wait_for_log(r'(?:address=|"address":")((?:https?|unix):[^\s"]+)').group(1)
        unix = self.address.startswith("unix:")
        where = self.address[len("unix:"):] if unix else int(self.address.rpartition(":")[2])
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.wire = Wire(where, headers, self.tls if self.address.startswith("https:") else None)
        return self

    def ready(self):
        self.serving()
        wait_until(lambda: self.wire.get("/readyz").status == 200, START_LIMIT, f"ready\n{self.log()}")
        return self

    def berth(self, *arguments, **more):
        environment = {"BERTH_ADDR": self.address, **({"BERTH_TOKEN": self.token} if self.token else {}),
                       **self.client_env, **more.pop("env", {})}
        return self.machine.berth(*arguments, env=environment, **more)

    def ok(self, *arguments, **more):
        """stdout of a command that succeeds."""
        code, out, err = self.berth(*arguments, **more)
        assert code == 0, f"{arguments}: exit {code}\n{out}\n{err}\n{self.log()}"
        return out

    def lines(self, *arguments):
        return [json.loads(line) for line in self.ok(*arguments, "--json").splitlines()]

    def hang_up(self):
        """SIGHUP, and waits until it has been acted on."""
        before = self.log().count(" reloaded") + self.log().count('"message":"reloaded"')
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log().count(" reloaded") + self.log().count('"message":"reloaded"') > before,
                   START_LIMIT, f"reloaded\n{self.log()}")

    def acquire(self, job="pool", **fields):
        reply = self.wire.post("/v1/leases", {"job": job, "wait": "30s", **fields})
        assert reply.status in (200, 201), (reply.status, reply.body)
        return reply.json()["lease"]

    def left(self):
        """What of the agent is still in its state folder beside its lock and name."""
        return [str(path) for path in self.state.rglob("*") if path.name not in ("lock", "agent.id", "containers")]

    def stop(self, code=0):
        """SIGTERM; it ends with this code and leaves no process, folder or socket."""
        family = descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        return self.ended(family, code)

    def ended(self, family, code=0):
        try:
            assert self.process.wait(STOP_LIMIT) == code, self.log()
            wait_until(lambda: not any(map(alive, family)), LEAK_LIMIT, "processes left behind")
            assert self.left() == [], self.log()
            if self.address.startswith("unix:"):
                assert not os.path.exists(self.address[len("unix:"):])
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def read_line(pipe, limit=COMMAND_LIMIT):
    """A line of a command's output, as it comes."""
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([pipe], [], [], limit)[0], "nothing came"
        byte = os.read(pipe.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


@contextlib.contextmanager
def machine_of(user):
    machine = Machine(user)
    try:
        yield machine
    finally:
        machine.remove()
