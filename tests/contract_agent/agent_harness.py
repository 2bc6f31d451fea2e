# SPDX-License-Identifier: Apache-2.0
"""Starts agents, stops them by their own pid, and proves that they left no process behind."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "contract"))
from harness import FRESH_UID, LEAK_LIMIT, alive, allowed, descendants, is_sanitized, wait_until  # noqa: E402,F401
from wire import Reply, Wire  # noqa: E402,F401

START_LIMIT = 60
STOP_LIMIT = 60
DRAIN = "1s"  # calls that tests leave running are cut then
SLOWER = 40 if is_sanitized() else 1  # times that are promised hold for programs as they are shipped
SIGHT = 30  # the longest a state is waited for that must come
SECRETS = {name: f"{name}-secret-0123456789abcdef" for name in ("root", "alice", "bob", "eye", "few")}
TOKENS = "\n".join(["# who may do what", f"root {SECRETS['root']} admin", f"alice {SECRETS['alice']} use",
                    f"bob {SECRETS['bob']} use", f"eye {SECRETS['eye']} read",
                    f"few {SECRETS['few']} use slots=1 calls=2"]) + "\n"


def bearer(name):
    return {"Authorization": f"Bearer {SECRETS[name]}"}


class Agent:
    """One running agent with tokens. `user` is the uid it runs as; `prepare` is given its folder before it starts, and
    returns more of its configuration."""

    def __init__(self, user=0, config="", jobs=(), drain=DRAIN, prepare=None):
        self.user = user
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-agent-"))
        self.folder.chmod(0o755)
        programs = pathlib.Path(os.environ["BERTH_BIN_DIR"])
        for name in ("berth", "berth-slotd"):  # copies: the build may lie where an ordinary user cannot go
            shutil.copy(programs / name, self.folder / name)
        (self.folder / "tokens").write_text(TOKENS)
        (self.folder / "tokens").chmod(0o600)
        (self.folder / "jobs").mkdir()
        config += prepare(self.folder) if prepare else ""
        for number, text in enumerate(jobs):
            (self.folder / "jobs" / f"{number}.yaml").write_text(text)
        (self.folder / "agent.yaml").write_text(
            f"listen: 127.0.0.1:0\nstate_dir: {self.folder}/state\ntokens: {self.folder}/tokens\n"
            f"jobs: {self.folder}/jobs\ndrain: {drain}\n{config}")
        if user != os.geteuid():
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user, user)
        self._spawn()

    def _spawn(self):
        identity = {"user": self.user, "group": self.user, "extra_groups": []} if self.user != os.geteuid() else {}
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([str(self.folder / "berth"), "agent", "--config", str(self.folder / "agent.yaml")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **identity)

    def connect(self):
        def port():
            assert self.process.poll() is None, f"the agent ended\n{self.log()}"
            return re.search(r'agent serves"?[ ,]"?address"?[=:]"?http://127\.0\.0\.1:(\d+)', self.log())

        self.port = int(wait_until(port, START_LIMIT, "the agent listens")[1])
        return self

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-20_000:]

    def as_(self, name):
        """Speaks with this token; None: with none."""
        return Wire(self.port, bearer(name) if name else {})

    def put_job(self, text, name=None):
        name = name or re.search(r"^job: (\S+)", text)[1]
        reply = self.as_("root").request("PUT", f"/v1/jobs/{name}", text.encode())
        assert reply.status in (200, 201), (reply.status, reply.body)
        return reply

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Ends it and checks that nothing of it is left."""
        try:
            family = descendants(self.process.pid) if self.process.poll() is None else set()
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(STOP_LIMIT) == 0, f"it ended with {self.process.returncode}\n{self.log()}"
            wait_until(lambda: not any(map(alive, family)), LEAK_LIMIT,
                       f"processes left behind: {[identity for identity in family if alive(identity)]}")
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Lease:
    """A leased slot as its user sees it."""

    def __init__(self, agent, token="alice", job="pool", **fields):
        self.agent = agent
        self.token = token
        self.wire = agent.as_(token)
        reply = self.wire.post("/v1/leases", {"job": job, "wait": "30s", **fields})
        assert reply.status in (200, 201), (reply.status, reply.body, agent.log())
        self.facts = reply.json()
        self.id = self.facts["lease"]
        self.path = f"/v1/leases/{self.id}"

    def call(self, tool, args=None, query="", **fields):
        return self.wire.post(f"{self.path}/executions{query}", {"tool": tool, "args": args or {}, **fields})

    def bash(self, command, query="", **fields):
        return self.call("bash", {"command": command}, query, **fields)

    def output(self, command, **fields):
        reply = self.bash(command, **fields)
        assert reply.status == 200 and reply.json()["success"], (reply.status, reply.body)
        return reply.json()["output"]

    def execution(self, name):
        return self.wire.get(f"{self.path}/executions/{name}")

    def release(self):
        return self.wire.request("DELETE", self.path)


def error_of(reply):
    """The error of /v1: three texts, nothing missing."""
    error = json.loads(reply.body)["error"]
    assert {"code", "message", "hint"} <= set(error), error
    assert all(isinstance(error[key], str) for key in ("code", "message", "hint")), error
    return error


def refused(reply, status, code):
    assert (reply.status, error_of(reply)["code"]) == (status, code), (reply.status, reply.body)
    if status in (429, 503):
        assert int(reply.headers["retry-after"]) >= 1
    return error_of(reply)


def raw(agent, text):
    """What the agent sends back to these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT) as peer:
        peer.sendall(text)
        answer = b""
        while part := peer.recv(65536):
            answer += part
        return answer


def uid_of(param):
    """The uid of a round "as_root" or "as_user"; None: this machine's user cannot be it."""
    if param == "as_root":
        return 0 if os.geteuid() == 0 else None
    return FRESH_UID if os.geteuid() == 0 else os.geteuid()
