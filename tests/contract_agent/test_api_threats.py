# SPDX-License-Identifier: Apache-2.0
"""Row 48 of the threats at the agent's doors: JSON and YAML abuse is refused with its reason, soon, and takes little
memory. Rows 9 and 10 stand in test_api_leases.py, 43 in test_api_tokens.py, 59 in test_api_calls.py."""
import time

import pytest

from agent_harness import SLOWER, Lease, allowed, error_of

SOON = 0.05 * 5 * SLOWER # a refusal, at five times its figure
MEMORY = (16 << 20) * 5  # growth of the agent over all refusals, at five times the figure of one
DEEP = 2000

JSON_ABUSE = {
    "deep arrays": b'{"tool": "bash", "args": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"args":' * DEEP + b"1" + b"}" * DEEP,
    "deep and else valid": b'{"tool": "bash", "args": {"command": "true", "x": ' + b"[" * DEEP + b"]" * DEEP + b"}}",
    "many and else valid": b'{"tool": "bash", "args": {"command": "true", "x": [' + b"1," * 70_000 + b"1]}}",
    "unclosed": b'{"tool": "bash"', "open brackets": b"[" * 60_000, "only quotes": b'"' * 60_001,
    "repeated key": b'{"tool": "bash", "tool": "exec"}', "NaN": b'{"timeout": NaN}', "Infinity": b'{"timeout": Infinity}',
    "huge number": b'{"tool": "bash", "timeout": 1e999}', "number of many digits": b'{"timeout": ' + b"9" * 50_000 + b"}",
    "not UTF-8": b'{"tool": "\xff\xfe"}', "lone surrogate": b'{"tool": "\\ud800"}', "overlong": b'{"tool": "\xc0\xaf"}',
    "BOM": b'\xef\xbb\xbf{"tool": "bash"} x', "text after": b'{"tool": "bash"} {"tool": "bash"}', "comment": b'{"tool": "bash" /* x */}',
    "NUL": b'{"tool": "ba\0sh"}', "UTF-16": '{"tool": "bash"}'.encode("utf-16"), "single quotes": b"{'tool': 'bash'}",
    "YAML": b"tool: bash\n", "many values": b'{"labels": [' + b"1," * 30_000 + b"1]}", "empty": b"\0" * 1000,
}
YAML_ABUSE = {
    "alias bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    "self alias": "job: &a [*a]\n", "deep flow": "job: " + "[" * DEEP, "deep block": "\n".join(" " * n + "a:" for n in range(600)),
    "tag": "job: !!python/object/apply:os.system [id]\n", "two documents": "job: a\n---\njob: b\n", "repeated key": "job: a\njob: b\n",
    "merge": "base: &b {slots: 3}\n<<: *b\njob: a\n", "tabs": "job:\n\t- a\n", "not UTF-8": b"job: \xff\xfe\n", "NUL": "job: a\0b\n",
    "long line": "job: " + "x" * 900_000, "many keys": "".join(f"k{n}: {n}\n" for n in range(20_000)), "octal": "job: a\nslots: 010\n",
    "huge number": "job: a\nslots: 99999999999999999999\n", "negative": "job: a\nslots: -1\n", "NaN": "job: a\nslots: .nan\n",
    "norway": "job: no\nslots: yes\n", "binary": "job: !!binary AAAA\n", "nothing": "%", "percent": "%YAML 9.9\n---\njob: a\n",
}


def rss(agent):
    for line in open(f"/proc/{agent.process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def doors(lease):
    """Every place that reads JSON."""
    yield "POST", "/v1/leases"
    yield "PATCH", lease.path
    yield "POST", f"{lease.path}/executions"
    yield "POST", f"{lease.path}/executions?stream=1"
    yield "POST", "/v1/batch"


@pytest.mark.parametrize("kind", JSON_ABUSE)
def test_json_abuse_is_refused_at_every_door(agent, lease, kind):
    """Row 48."""
    for method, path in doors(lease):
        begin = time.monotonic()
        reply = lease.wire.request(method, path, JSON_ABUSE[kind])
        assert time.monotonic() - begin < SOON, (method, path)
        assert reply.status in (400, 413), (method, path, reply.status, reply.body[:300])
        assert error_of(reply)["message"] and len(reply.body) < 2000


@pytest.mark.parametrize("kind", JSON_ABUSE)
def test_json_abuse_inside_a_batch_spoils_its_element_at_most(agent, lease, kind):
    good = f'{{"lease": "{lease.id}", "tool": "bash", "args": {{"command": "echo good"}}}}'.encode()
    reply = lease.wire.request("POST", "/v1/batch", b"[" + good + b"," + JSON_ABUSE[kind] + b"]")
    assert reply.status in (200, 400)
    if reply.status == 200:
        results = reply.json()
        assert results[0]["output"] == "good"
        assert all(result["metadata"]["cause"] == "rejected" for result in results[1:])


@pytest.mark.parametrize("kind", YAML_ABUSE)
def test_yaml_abuse_is_refused_with_its_place(agent, kind):
    """Row 48."""
    text = YAML_ABUSE[kind]
    begin = time.monotonic()
    reply = agent.as_("root").request("PUT", "/v1/jobs/a?plan=1", text if isinstance(text, bytes) else text.encode())
    assert time.monotonic() - begin < SOON * (5 if len(text) > 100_000 else 1), "it takes too long"
    assert reply.status == 400, (reply.status, reply.body[:300])
    assert error_of(reply)["code"] == "bad_job" and len(reply.body) < 4 << 20


def test_all_of_it_together_takes_little_memory(agent, lease):
    """Row 48."""
    before = rss(agent)
    for _ in range(3):
        for body in JSON_ABUSE.values():
            for method, path in doors(lease):
                lease.wire.request(method, path, body)
        for text in YAML_ABUSE.values():
            agent.as_("root").request("PUT", "/v1/jobs/a?plan=1", text if isinstance(text, bytes) else text.encode())
    assert rss(agent) - before < allowed(MEMORY)
    assert lease.output("echo lives") == "lives"


def test_strict_http_holds_at_the_agent_too(agent):
    """Row 39: one ambiguous message of each kind; the server is the one that slotd has, tested in full there."""
    for head in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n",
                 b"Transfer-Encoding: gzip\r\n", b"Host: y\r\n", b" folded: x\r\n", b"Name : x\r\n"):
        with agent.as_(None).socket() as peer:
            peer.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n[]GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while part := peer.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1, head


def test_text_of_callers_is_one_line_of_the_log(agent):
    """Row 36: names with line ends and a forged record."""
    forged = "t\n2026-01-01T00:00:00.000Z error forged record"
    lease = Lease(agent, trajectory=forged)
    lease.release()
    assert not any(line.startswith("2026-01-01T00:00:00.000Z error forged") for line in agent.log().splitlines())
