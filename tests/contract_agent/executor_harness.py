# SPDX-License-Identifier: Apache-2.0
"""Trajectories over the tool-executor routes, and a tool server that does what a tool's name says."""
import contextlib
import http.server
import json
import pathlib
import shutil
import tempfile
import threading

from agent_harness import START_LIMIT, Agent, wait_until

POOL = "job: pool\nslots: 6\ncontainers: {min: 1, max: 2}\nisolation: best-effort\nslot: {network: full}\n"
FIVE = {"success", "output", "error", "metadata", "uniq_id"}
NO_SLOT = "No active slot for trajectory (run a sandbox tool first)"
TOOL_SERVER_TOKEN = "word-for-the-tool-server"
HANG_LIMIT = 300  # a tool that hangs does so until the test lets it go, or for so long


class ToolServer(http.server.ThreadingHTTPServer):
    """Keeps what it was sent. `hang` answers when let_go() was called; `trickle` sends one byte and hangs."""
    daemon_threads = True

    def __init__(self):
        self.seen = []
        self.held = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def named(self, tool):
        return [body for _, _, body in self.seen if body["tool"]["name"] == tool]

    def let_go(self):
        self.held.set()
        self.held = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        held = self.server.held
        self.server.seen.append((self.path, self.headers, body))
        tool = body["tool"]["name"]
        answer = {"success": True, "output": "found", "error": "", "metadata": {"hits": 1}, "uniq_id": "theirs"}
        text = {"broken": b"<html>", "unsaid": b"{}"}.get(tool, json.dumps(answer).encode())
        with contextlib.suppress(OSError):
            if tool == "hang":
                held.wait(HANG_LIMIT)
            self.send_response(503 if tool == "busy" else 200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if tool == "trickle":
                self.wfile.write(text[:1])
                self.wfile.flush()
                held.wait(HANG_LIMIT)
            self.wfile.write(text[1:] if tool == "trickle" else text)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def tool_server():
    server = ToolServer()
    try:
        yield server
    finally:
        server.let_go()
        server.shutdown()
        server.server_close()


def begin(user, pool=POOL, config="", **options):
    one = Agent(user=user, config="default_job: pool\n" + config, **options)
    try:
        one.connect().put_job(pool)
        wait_until(lambda: one.as_(None).get("/readyz").status == 200, START_LIMIT, "the pool is up")
    except BaseException:
        one.kill()
        raise
    return one


@contextlib.contextmanager
def executor_agent(user, outside, pool=POOL):
    """One with a default job and a tool server."""
    secret = pathlib.Path(tempfile.mkdtemp(prefix="berth-secret-"))
    secret.chmod(0o755)
    (secret / "token").write_text(TOOL_SERVER_TOKEN + "\n")
    address = f"http://127.0.0.1:{outside.server_address[1]}/base"
    one = begin(user, pool, f"tool_server: {{url: \"{address}\", token_file: {secret}/token}}\n")
    try:
        yield one
    finally:
        one.stop()
        shutil.rmtree(secret)


class Run:
    """A trajectory of alice's."""

    def __init__(self, agent, name, token="alice"):
        self.agent, self.name, self.wire = agent, name, agent.as_(token)

    def body(self, tool, arguments=None, **fields):
        return {"trajectory_id": self.name, "tool": {"name": tool, "arguments": arguments or {}, "uniq_id": "u1"}, **fields}

    def post(self, tool, arguments=None, headers=None, **fields):
        return self.wire.post("/execute", self.body(tool, arguments, **fields), headers=headers)

    def call(self, tool, arguments=None, **fields):
        reply = self.post(tool, arguments, **fields)
        assert reply.status == 200, (reply.status, reply.body, self.agent.log())
        result = reply.json()
        assert set(result) == FIVE and result["uniq_id"] == "u1", result
        return result

    def keyed(self, key, tool, arguments=None, **fields):
        return self.call(tool, arguments, headers={"Idempotency-Key": key}, **fields)

    def sh(self, command, **fields):
        return self.call("terminal", {"command": command}, **fields)

    def begin(self, tool, arguments=None, headers=None, **fields):
        """Sends a call and does not wait for its answer: its connection."""
        connection = self.wire.connection()
        connection.request("POST", "/execute", json.dumps(self.body(tool, arguments, **fields)),
                           {**self.wire.headers, **(headers or {})})
        return connection

    def release(self):
        reply = self.wire.post("/release", {"trajectory_id": self.name, "reset_workspace": True})
        assert (reply.status, reply.json()) == (200, {"status": "ok"})

    def leases(self):
        return [each for each in self.agent.as_("root").get("/v1/leases").json()["leases"] if each["trajectory"] == self.name]


def queue_size(agent):
    return agent.as_(None).get("/status").json()["queue_size"]


def detail(reply):
    return reply.status, reply.json()["detail"]
