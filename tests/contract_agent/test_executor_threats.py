# SPDX-License-Identifier: Apache-2.0
"""Rows 9, 10, 34, 36, 43, 44, 48 and 59 of the threats at the tool-executor routes, and what of row 34 the other doors
have. Rows 41 and 42 stand in test_relay_threats.py."""
import json
import re
import signal
import threading
import time

import pytest

from agent_harness import SECRETS, SIGHT, SLOWER, TOKENS, Lease, allowed, bearer, error_of, raw, wait_until
from executor_fixtures import agent, outside  # noqa: F401
from executor_harness import NO_SLOT, POOL, TOOL_SERVER_TOKEN, Run, begin, detail
from test_api_threats import DEEP, JSON_ABUSE, rss

GUARDED = ["/execute", "/release", "/artifacts/read", "/artifacts/list", "/artifacts/archive"]
SOON = 0.05 * 5 * SLOWER
MEMORY = (16 << 20) * 5
FAKE = "2030-01-01T00:00:00.000Z error everything is lost"


@pytest.fixture
def run(agent, request):
    one = Run(agent, request.node.originalname)
    yield one
    one.release()


NAMES = ["../slot_1", "slot_0", "slot_01", "\uff11", "..", "*", "a\nb", "/etc/passwd", "%2e%2e", "x" * 256]
NO_NAMES = ["", "x" * 257, "a\0b", "\u00e9" * 129]


@pytest.mark.parametrize("name", NAMES)
def test_row09_a_name_of_a_trajectory_is_a_name_and_never_a_path(agent, run, name):
    run.sh("echo mine > file")
    other = Run(agent, name, "bob")
    for kind, path in (("read", "file"), ("read", f"../{run.leases()[0]['slot']}/file"), ("list", "."), ("archive", ".")):
        reply = other.wire.post(f"/artifacts/{kind}", {"trajectory_id": name, "path": path})
        assert (reply.status, reply.json()["error"]) == (200, NO_SLOT)
    assert other.sh('ls -A; echo "$BERTH_TRAJECTORY"')["output"] == name
    other.release()
    assert run.sh("cat file")["output"] == "mine"


@pytest.mark.parametrize("name", NO_NAMES)
def test_row09_what_can_be_no_name_is_422_and_takes_no_slot(agent, name):
    held = len(agent.as_("root").get("/v1/leases").json()["leases"])
    for path in GUARDED:
        body = {"trajectory_id": name, "path": ".", "tool": {"name": "terminal", "arguments": {}, "uniq_id": "u"}}
        status, faults = detail(agent.as_("alice").post(path, body))
        assert status == 422 and faults[0]["loc"] == ["body", "trajectory_id"], path
    assert len(agent.as_("root").get("/v1/leases").json()["leases"]) == held


def test_row09_another_token_s_trajectory_of_the_same_name_is_another_one(agent, run):
    run.sh("echo mine > file")
    other = Run(agent, run.name, "bob")
    reply = other.wire.post("/artifacts/read", {"trajectory_id": run.name, "path": "file"})
    assert reply.json()["error"] == NO_SLOT
    other.release()
    assert run.sh("cat file")["output"] == "mine"


def test_row10_a_late_call_of_an_earlier_holder_is_fenced(user):
    agent = begin(user, POOL.replace("slots: 6", "slots: 1").replace("max: 2", "max: 1"))
    try:
        late, holder = Run(agent, "late"), Run(agent, "holder", "bob")
        late.sh("true")
        assert agent.as_("root").request("DELETE", f"/v1/leases/{late.leases()[0]['lease']}").status == 204
        holder.sh("echo mine > file")
        told = late.sh("touch late")  # the slot is another's by then
        assert (told["success"], told["metadata"]["cause"]) == (False, "slot_lost")
        assert late.wire.post("/artifacts/read", {"trajectory_id": "late", "path": "file"}).json()["error"] == NO_SLOT
        assert late.sh("touch late", timeout_s=1)["error"].startswith("Failed to acquire slot: ")
        assert holder.sh("ls -A")["output"] == "file"
    finally:
        agent.stop()


def test_row34_large_arguments_are_bounded_and_keep_nobody_out(agent, run):
    """200 calls of 1 MB each, ten at a time, and some that are too large."""
    run.sh("true")
    before = rss(agent)
    answers = []

    def flood(number):
        mine = Run(agent, run.name)
        for _ in range(20):
            answers.append(mine.post("write_file", {"path": f"f{number}", "content": "x" * (1 << 20)}))
        answers.append(mine.post("write_file", {"path": "g", "content": "x" * (2 << 20)}))

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    other = Run(agent, "beside")
    assert other.sh("echo served")["output"] == "served"
    for thread in threads:
        thread.join(120)
    other.release()
    assert sorted({reply.status for reply in answers}) == [200, 413]
    assert sum(reply.status == 413 for reply in answers) == 10
    assert all("too large" in reply.json()["error"] for reply in answers if reply.status == 200)
    assert rss(agent) - before < allowed(256 << 20)
    assert run.sh("ls -A")["output"] == ""


def test_row34_batches_are_refused_whole_or_by_their_elements(agent):
    """/v1/batch: 10,000 calls; 200 of 1 MB, refused by their length; none; ids twice; mixed."""
    one, two = Lease(agent), Lease(agent)
    def element(lease, command, name):
        return {"lease": lease.id, "tool": "bash", "args": {"command": command}, "execution_id": name}
    before = rss(agent)
    reply = one.wire.post("/v1/batch", [element(one, "true", f"n{n}") for n in range(10_000)])
    assert (reply.status, error_of(reply)["code"]) == (413, "json_too_large")
    connection = one.wire.connection()
    connection.request("POST", "/v1/batch", headers={**one.wire.headers, "Content-Length": str(200 << 20)})
    assert connection.getresponse().status == 413  # before a byte of it
    connection.close()
    assert one.wire.post("/v1/batch", []).json() == []
    padded = {**element(one, "true", "large"), "args": {"command": "true", "more": "x" * (2 << 20)}}
    body = [element(one, "echo run >> count; wc -l < count", "same"), element(one, "echo run >> count; wc -l < count", "same"),
            element(one, "echo other", "same"), padded, element(two, "echo two", "same"), "x", element(one, "wc -l < count", "last")]
    results = one.wire.post("/v1/batch", body).json()
    assert [result["output"] for result in results] == ["1", "1", "", "", "two", "", "1"]
    assert results[1]["metadata"]["replayed"] is True
    assert [results[n]["metadata"]["cause"] for n in (2, 3, 5)] == ["rejected"] * 3
    assert rss(agent) - before < allowed(256 << 20)
    one.release(), two.release()


@pytest.mark.parametrize("style", ["text", "json"])
def test_row36_nothing_that_callers_write_makes_a_record_of_its_own(user, outside, style):
    address = f"http://127.0.0.1:{outside.server_address[1]}"
    agent = begin(user, config=f"log: {{level: debug, format: {style}}}\ntool_server: {{url: \"{address}\"}}\n")
    try:
        for ending in ("\n", "\r\n", "\r", "\u2028", "\x1b[2K\x1b[1G", "\x85"):
            text = f"t{ending}{FAKE}{ending}"
            run = Run(agent, text)
            run.sh(text)
            run.call("read_file", {"path": text})
            run.call(text, {"path": text})  # an external tool of this name
            assert run.post("terminal", {"command": "true"}, headers={"Idempotency-Key": FAKE}).status == 422
            run.wire.post("/artifacts/read", {"trajectory_id": text, "path": text})
            run.wire.post("/artifacts/" + "%0A" + FAKE.replace(" ", "%20"), {})
            run.release()
    finally:
        log = (agent.folder / "log").read_text(errors="replace")
        agent.stop()
    records = log.rstrip("\n").split("\n")
    shape = re.compile(r'\{"time":"' if style == "json" else r"\d{4}-\d\d-\d\dT\S+Z (debug|info|warning|error) ")
    assert [record for record in records if not shape.match(record)] == [] and len(records) > 30
    assert not any(record.startswith("2030-") for record in records)
    assert "call ended" in log and "external call" in log and FAKE in log
    assert not any(mark in log for mark in ("\x1b", "\r", "\u2028", "\x85"))


@pytest.mark.parametrize("path", GUARDED)
def test_row43_whatever_is_no_token_of_this_agent_s_is_refused_with_one_body(agent, path):
    secret = SECRETS["alice"]
    wrong = ["Bearer wrong", f"Bearer {secret[:-1]}", f"Bearer {secret}x", f"Bearer {secret.upper()}", "Bearer " + "a" * 8000,
             f"Bearer {secret} x", f"Bearer {SECRETS['eye']}"]
    bodies = {(reply.status, reply.body) for value in wrong
              for reply in [agent.as_(None).post(path, {}, headers={"Authorization": value})]}
    assert bodies == {(403, json.dumps({"detail": "Invalid token"}, separators=(",", ":")).encode())}, bodies
    for query in ("token", "access_token", "Authorization"):
        assert detail(agent.as_(None).post(f"{path}?{query}={secret}", {})) == (401, "Missing Authorization header")
    token = bearer("alice")["Authorization"]
    begun = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    trailer = raw(agent, f"{begun}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n0\r\nAuthorization: {token}\r\n\r\n".encode())
    assert trailer.startswith(b"HTTP/1.1 401 ")
    two = raw(agent, f"{begun}Authorization: {token}\r\nAuthorization: {token}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert two.startswith(b"HTTP/1.1 403 ")
    assert raw(agent, f"{begun}Authorization: Bearer {'a' * (1 << 20)}\r\n\r\n".encode()).startswith(b"HTTP/1.1 431 ")
    large = raw(agent, f"{begun}Content-Length: 1000000\r\n\r\n".encode())  # no byte of it is waited for
    assert large.startswith(b"HTTP/1.1 401 ")


def test_row43_a_token_that_is_taken_away_ends_at_once(user):
    agent = begin(user)
    try:
        run = Run(agent, "t", "bob")
        run.sh("true")
        (agent.folder / "tokens").write_text(TOKENS.replace(SECRETS["bob"], "a-new-secret-of-bob-0123456789"))
        agent.signal(signal.SIGHUP)
        wait_until(lambda: run.post("terminal", {"command": "true"}).status == 403, SIGHT, "the token is gone")
        run.wire.headers["Authorization"] = "Bearer a-new-secret-of-bob-0123456789"
        assert run.sh("echo same slot")["output"] == "same slot" and len(run.leases()) == 1
    finally:
        agent.stop()


def test_row44_no_secret_is_in_an_answer_a_metric_or_a_record(agent, outside, run):
    seen = [run.sh("env; cat /proc/self/environ /proc/1/environ 2>/dev/null; cat /proc/*/cmdline 2>/dev/null")["output"]]
    for tool in ("web_search", "broken", "busy", "unsaid", "bash"):
        reply = run.post(tool)
        seen.append(reply.body.decode() + str(reply.headers))
    for path in ("/", "/health", "/status", "/metrics", "/v1/leases", "/v1/events?follow=0"):
        reply = agent.as_("root").get(path)
        seen.append(reply.body.decode() + str(reply.headers))
    seen.append(agent.log())
    for text in seen:
        assert TOOL_SERVER_TOKEN not in text and not any(secret in text for secret in SECRETS.values())
    assert outside.seen[-1][1]["Authorization"] == f"Bearer {TOOL_SERVER_TOKEN}"  # it was there to be found


def abuses():
    yield from JSON_ABUSE.items()
    good = b'{"trajectory_id": "t", "path": "a", "tool": {"name": "terminal", "uniq_id": "u", "arguments": {"command": "true", "x": '
    yield "deep and else valid here", good + b"[" * DEEP + b"]" * DEEP + b"}}}"
    yield "many and else valid here", good + b"[" + b"1," * 70_000 + b"1]}}}"
    yield "repeated and else valid here", good + b'1, "x": 2}}}'


@pytest.mark.parametrize("kind, body", abuses(), ids=lambda value: value if isinstance(value, str) else "")
def test_row48_json_abuse_is_refused_at_every_door(agent, kind, body):
    held = len(agent.as_("root").get("/v1/leases").json()["leases"])
    for path in GUARDED:
        began = time.monotonic()
        reply = agent.as_("alice").post(path, body)
        assert time.monotonic() - began < SOON, path
        assert reply.status == 422 and len(reply.body) < 4000, (path, reply.status, reply.body[:300])
        assert all({"type", "loc", "msg", "input"} <= set(fault) for fault in reply.json()["detail"])
    assert len(agent.as_("root").get("/v1/leases").json()["leases"]) == held


def test_row48_all_of_it_together_takes_little_memory(agent, run):
    run.sh("true")
    before = rss(agent)
    for _ in range(3):
        for _, body in abuses():
            for path in GUARDED:
                agent.as_("alice").post(path, body)
    assert rss(agent) - before < allowed(MEMORY)
    assert run.sh("echo lives")["output"] == "lives"


def test_row59_an_answer_that_was_lost_is_there_when_its_key_comes_again(run):
    """The whole answer was sent, and nobody read it."""
    command = {"command": "echo run >> count; wc -l < count"}
    run.sh("true")
    connection = run.begin("terminal", command, {"Idempotency-Key": "lost"})
    wait_until(lambda: run.sh("cat count 2>/dev/null")["output"] == "run", SIGHT, "it has run")
    connection.close()
    for _ in range(3):
        again = run.keyed("lost", "terminal", command)
        assert (again["output"], again["metadata"]["replayed"]) == ("1", True)
    other = run.keyed("lost", "terminal", {"command": "echo another"})
    assert (other["success"], other["metadata"]["cause"]) == (False, "rejected")
    assert run.sh("wc -l < count")["output"] == "1"


def test_row59_the_same_key_many_times_at_once_runs_once(run):
    run.sh("true")
    results = []
    ask = lambda: results.append(run.keyed("many", "terminal", {"command": "sleep 0.3; echo run >> count; wc -l < count"}))
    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SIGHT)
    assert [result["output"] for result in results] == ["1"] * 10
