# SPDX-License-Identifier: Apache-2.0
"""Who may do what (wire.md 1.9), and row 43 of the threats: tokens none, wrong, prefix, 1 MB, in query, in a trailer,
taken away."""
import json
import signal
import socket

import pytest

from agent_harness import SECRETS, SIGHT, TOKENS, Lease, Wire, bearer, raw, refused, wait_until

ANY = "/v1/jobs"


@pytest.mark.parametrize("name", ["root", "alice", "eye"])
def test_each_right_sees_the_jobs(agent, name):
    assert agent.as_(name).get(ANY).status == 200


def test_without_a_token_it_is_401_and_says_how(agent):
    reply = agent.as_(None).get(ANY)
    assert "Bearer" in refused(reply, 401, "unauthorized")["hint"]
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("value", [
    "Bearer wrong", "Bearer", "Bearer ", SECRETS["root"], f"Basic {SECRETS['root']}", f"Bearer {SECRETS['root'][:-1]}",
    f"Bearer {SECRETS['root']}x", f"Bearer {SECRETS['root'].upper()}", "Bearer " + "a" * 8000, f"Bearer {SECRETS['root']} x",
])
def test_every_other_value_is_403_with_one_body(agent, value):
    """Row 43: wrong, prefix, long."""
    expected = agent.as_(None).get(ANY).body
    reply = Wire(agent.port).get(ANY, headers={"Authorization": value})
    assert (reply.status, reply.body) == (403, expected)


def test_a_right_that_is_not_enough_has_the_same_body(agent):
    expected = agent.as_(None).get(ANY).body
    for name, method, path in [("eye", "POST", "/v1/leases"), ("alice", "PUT", "/v1/jobs/x"), ("eye", "DELETE", "/v1/jobs/pool")]:
        reply = agent.as_(name).request(method, path, b"{}")
        assert (reply.status, reply.body) == (403, expected), (name, method, path)


def test_a_token_of_1_mb_is_refused_before_it_is_held(agent):
    answer = raw(agent, b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"a" * (1 << 20) + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_token_in_the_query_is_none(agent):
    for name in ("token", "access_token", "authorization", "Authorization"):
        refused(agent.as_(None).get(f"{ANY}?{name}={SECRETS['root']}"), 401, "unauthorized")


def test_a_token_in_a_trailer_is_none(agent):
    """Row 43: the body is not even read for it."""
    answer = raw(agent, f"PUT /v1/jobs/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization"
                        f"\r\n\r\n1\r\nx\r\n0\r\nAuthorization: Bearer {SECRETS['root']}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_it_is_decided_before_the_body_is_read(agent):
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT) as peer:
        peer.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")
        assert peer.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("names", [("eye", "root"), ("root", "eye"), ("root", "root")])
def test_two_tokens_are_none(agent, names):
    head = "".join(f"Authorization: {bearer(name)['Authorization']}\r\n" for name in names)
    answer = raw(agent, f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_some_paths_are_open(agent, path):
    assert agent.as_(None).get(path).status == 200


def test_without_a_token_readyz_says_no_more_than_that(agent):
    assert agent.as_(None).get("/readyz").json() == {"ready": True}
    assert agent.as_("eye").get("/readyz").json() == {"ready": True, "reasons": []}


def test_without_a_token_nothing_tells_which_paths_there_are(agent):
    bodies = {agent.as_(None).get(path).body for path in ("/v1/jobs", "/v1/nothing", "/v1/leases/abc", "/metrics")}
    assert len(bodies) == 1


def test_use_sees_and_uses_its_own_leases_only(agent):
    lease = Lease(agent, "alice")
    bob = agent.as_("bob")
    for method, path in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/executions"), ("GET", "/executions/x"),
                         ("DELETE", "/executions/x"), ("GET", "/executions/x/output"), ("GET", "/files/x"),
                         ("PUT", "/files/x"), ("DELETE", "/files/x")]:
        error = refused(bob.request(method, lease.path + path, b"{}"), 404, "unknown_lease")
        none = refused(bob.request(method, "/v1/leases/" + "0" * 32 + path, b"{}"), 404, "unknown_lease")
        assert {**error, "message": error["message"].replace(lease.id, "0" * 32)} == none, (method, path)
    result = bob.post("/v1/batch", [{"lease": lease.id, "tool": "bash", "args": {"command": "touch seen"}}]).json()[0]
    assert result["metadata"]["code"] == "unknown_lease" and result["metadata"]["started"] is False
    assert lease.id not in json.dumps(bob.get("/v1/leases").json())
    assert lease.id not in json.dumps(bob.get("/v1/slots").json())
    assert lease.output("ls") == ""
    lease.release()


def test_read_sees_every_lease_and_uses_none(agent, lease):
    eye = agent.as_("eye")
    assert lease.id in [each["lease"] for each in eye.get("/v1/leases").json()["leases"]]
    assert eye.get(lease.path).json()["owner"] == "alice"
    assert eye.request("DELETE", lease.path).status == 403
    assert eye.get(f"{lease.path}/files/x").status == 403


def test_admin_may_end_anybodys_lease(agent):
    lease = Lease(agent, "alice")
    assert agent.as_("root").request("DELETE", lease.path).status == 204
    refused(lease.wire.get(lease.path), 410, "lease_ended")


def test_one_trajectory_of_two_owners_has_two_leases(agent):
    mine, theirs = Lease(agent, "alice", trajectory="same"), Lease(agent, "bob", trajectory="same")
    assert mine.id != theirs.id
    mine.release(), theirs.release()


def test_slots_of_a_token_are_bounded(agent):
    lease = Lease(agent, "few", trajectory="one")
    refused(agent.as_("few").post("/v1/leases", {"job": "pool", "trajectory": "two"}), 429, "too_many_slots")
    assert agent.as_("few").post("/v1/leases", {"job": "pool", "trajectory": "one"}).status == 200
    lease.release()


def test_calls_of_a_token_are_bounded(agent):
    lease = Lease(agent, "few")
    for name in ("a", "b"):
        assert lease.bash("sleep 60", "?wait=0", execution_id=name, timeout=100).status == 202
    refused(lease.bash("true"), 429, "too_many_calls")
    refused(lease.bash("true", "?wait=0"), 429, "too_many_calls")
    for name in ("a", "b"):
        lease.wire.request("DELETE", f"{lease.path}/executions/{name}")
    wait_until(lambda: lease.bash("true").status == 200, SIGHT, "the calls have ended")
    lease.release()


def test_a_token_that_is_taken_away_ends_at_once_and_another_begins(start):
    """Row 43: rotated."""
    agent = start()
    assert agent.as_("bob").get(ANY).status == 200
    tokens = TOKENS.replace(SECRETS["bob"], "a-new-secret-of-bob-0123456789")
    (agent.folder / "tokens").write_text(tokens)
    agent.signal(signal.SIGHUP)
    fresh = Wire(agent.port, {"Authorization": "Bearer a-new-secret-of-bob-0123456789"})
    wait_until(lambda: fresh.get(ANY).status == 200, SIGHT, "the tokens are read anew")
    assert agent.as_("bob").get(ANY).status == 403
    assert agent.as_("alice").get(ANY).status == 200


def test_scheme_is_read_without_regard_to_case(agent):
    assert Wire(agent.port, {"Authorization": bearer("root")["Authorization"].replace("Bearer", "bEARER")}).get(ANY).status == 200
