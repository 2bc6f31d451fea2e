# SPDX-License-Identifier: Apache-2.0
"""POST, GET, PATCH and DELETE /v1/leases with every status of wire.md 1.9; waiting that ends when the caller vanishes.
Row 9 and 10 of the threats: names that are none, calls that come after their lease."""
import datetime
import json
import threading
import time
import urllib.parse

import pytest

from agent_harness import SIGHT, SLOWER, Lease, refused, wait_until

ONE = "job: one\nslots: 1\nisolation: best-effort\n"
PROMPT = 0.5 * 5 * SLOWER  # "at once", five times


@pytest.fixture
def single(start):
    """An agent whose job `one` has one slot."""
    agent = start()
    agent.put_job(ONE)
    return agent


def waiting(agent, job="one"):
    return agent.as_("eye").get(f"/v1/jobs/{job}").json()["waiting"]


def test_a_lease_tells_all_there_is_to_know(agent):
    lease = Lease(agent, trajectory="t-all", ttl="1h", idle="5m", labels={"run": "7"})
    facts = lease.facts
    assert {"lease", "job", "trajectory", "container", "slot", "generation", "workspace", "expires_at", "idle_at", "isolation"} <= set(facts)
    assert (facts["job"], facts["trajectory"], facts["workspace"], facts["labels"]) == ("pool", "t-all", "/workspace", {"run": "7"})
    assert len(facts["lease"]) == 32 and int(facts["lease"], 16) >= 0  # 128 bits
    now = datetime.datetime.now(datetime.timezone.utc)
    left = datetime.datetime.fromisoformat(facts["expires_at"].replace("Z", "+00:00")) - now
    assert 3500 < left.total_seconds() <= 3600
    assert facts["isolation"]["level"] == "best-effort"
    lease.release()


def test_the_same_trajectory_gets_its_lease_again_with_200(agent):
    first = agent.as_("alice").post("/v1/leases", {"job": "pool", "trajectory": "again", "wait": "20s"})
    second = agent.as_("alice").post("/v1/leases", {"job": "pool", "trajectory": "again"})
    assert (first.status, second.status) == (201, 200)
    assert first.json()["lease"] == second.json()["lease"]
    assert second.headers["location"] == f"/v1/leases/{first.json()['lease']}"
    agent.as_("alice").request("DELETE", second.headers["location"])


def test_none_free_is_429_with_retry_after(single):
    lease = Lease(single, job="one")
    begin = time.monotonic()
    refused(single.as_("alice").post("/v1/leases", {"job": "one"}), 429, "no_slot")
    assert time.monotonic() - begin < PROMPT
    refused(single.as_("alice").post("/v1/leases", {"job": "one", "wait": "200ms"}), 429, "no_slot")
    lease.release()


def test_a_waiter_gets_the_slot_when_it_is_clean(single):
    lease = Lease(single, job="one")
    lease.output("echo secret > left-behind")
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(Lease(single, "bob", "one")))
    waiter.start()
    wait_until(lambda: waiting(single) == 1, SIGHT, "the second one waits")
    lease.release()
    waiter.join(SIGHT)
    assert answers[0].facts["generation"] > lease.facts["generation"]
    assert answers[0].output("ls -A") == ""


def test_a_waiter_whose_connection_closes_waits_no_more(single):
    lease = Lease(single, job="one")
    gone = single.as_("bob").connection()
    gone.request("POST", "/v1/leases", '{"job": "one", "wait": "1h"}', single.as_("bob").headers)
    wait_until(lambda: waiting(single) == 1, SIGHT, "it waits")
    gone.close()
    wait_until(lambda: waiting(single) == 0, SIGHT, "it waits no more")
    lease.release()
    assert Lease(single, "alice", "one").output("echo mine") == "mine"


def test_patch_sets_ttl_and_idle_anew(agent, lease):
    reply = lease.wire.request("PATCH", lease.path, b'{"ttl": 7200, "idle": "30m"}')
    assert reply.status == 200 and reply.json()["expires_at"] > lease.facts["idle_at"]
    for body in (b'{"ttl": 0}', b'{"ttl": -1}', b'{"ttl": "soon"}', b'{"ttl": 1e300}', b'{"til": 5}', b'[]', b'{"idle": true}'):
        refused(lease.wire.request("PATCH", lease.path, body), 400, "bad_request")


def test_a_lease_ends_by_its_ttl_and_says_so(agent):
    lease = Lease(agent, ttl="300ms")
    wait_until(lambda: lease.wire.get(lease.path).status == 410, SIGHT, "it ended")
    assert "ttl" in refused(lease.bash("true"), 410, "lease_ended")["message"]
    refused(lease.release(), 410, "lease_ended")


def test_an_idle_lease_ends_and_a_used_one_lives(agent):
    lease = Lease(agent, idle="700ms")
    assert lease.bash("sleep 2; echo busy").json()["output"] == "busy"
    wait_until(lambda: lease.wire.get(lease.path).status == 410, SIGHT, "it idled out")
    assert "idle" in refused(lease.bash("true"), 410, "lease_ended")["message"]


def test_releasing_twice_is_204_and_an_unknown_one_404(agent):
    lease = Lease(agent)
    assert [lease.release().status for _ in range(3)] == [204, 204, 204]
    refused(lease.wire.get(lease.path), 410, "lease_ended")
    refused(lease.wire.request("DELETE", "/v1/leases/" + "f" * 32), 404, "unknown_lease")


def test_a_call_after_the_lease_is_fenced(single):
    """Row 10: the slot is another's by then; nothing of the late call runs."""
    lease = Lease(single, job="one")
    lease.release()
    other = Lease(single, "bob", "one")
    refused(lease.bash("touch /workspace/late"), 410, "lease_ended")
    late = single.as_("alice").post("/v1/batch", [{"lease": lease.id, "tool": "bash", "args": {"command": "touch /workspace/late"}}])
    assert late.json()[0]["metadata"]["code"] == "lease_ended" and late.json()[0]["metadata"]["started"] is False
    refused(lease.wire.request("PUT", f"{lease.path}/files/late", b"x"), 410, "lease_ended")
    assert other.output("ls -A") == ""


def test_an_id_asked_for_again_after_its_lease_may_have_run(agent):
    """Nobody knows any more what ran under it; in a batch that is said as of a single call, and never denied."""
    lease = Lease(agent)
    lease.output("echo ran", execution_id="known")
    lease.release()
    call = {"tool": "bash", "args": {"command": "echo ran"}, "execution_id": "known"}
    refused(lease.call(**call), 410, "lease_ended")
    for query in ("", "?stream=1"):
        reply = agent.as_("alice").request("POST", f"/v1/batch{query}", json.dumps([{"lease": lease.id, **call}]).encode())
        result = json.loads(reply.body.splitlines()[0])
        metadata = (result[0] if isinstance(result, list) else result)["metadata"]
        assert (metadata["cause"], metadata["code"], metadata["started"]) == ("slot_lost", "lease_ended", "unknown")


def test_a_call_that_runs_when_its_lease_ends_is_cancelled(agent):
    lease = Lease(agent)
    assert lease.bash("sleep 300", "?wait=0", execution_id="late", timeout=600).status == 202
    lease.release()
    told = wait_until(lambda: (reply := lease.execution("late")).status == 200 and reply, SIGHT, "its end is told")
    assert told.json()["result"]["metadata"]["cause"] in ("cancelled", "slot_lost")


@pytest.mark.parametrize("name", ["../slot_1", "slot_01", "\uff11", "x" * 300, "a\0b", "a\nb", "%2e%2e", "..", "slot_0", "*"])
def test_names_that_are_no_lease_are_404_or_400(agent, name):
    """Row 9."""
    path = "/v1/leases/" + urllib.parse.quote(name, safe="")
    for method, rest in [("GET", ""), ("DELETE", ""), ("POST", "/executions"), ("PUT", "/files/x")]:
        reply = agent.as_("alice").request(method, path + rest, b"{}")
        assert reply.status in (400, 404), (reply.status, reply.body)


@pytest.mark.parametrize("body", [
    b"", b"[]", b"null", b"{", b'{"job": 1}', b'{"job": "pool", "trajectory": ""}', b'{"job": "pool", "trajectory": 5}',
    b'{"job": "pool", "trajectory": "a\\u0000b"}', b'{"job": "pool", "wait": -1}', b'{"job": "pool", "wait": "1y"}', b'{"job": "pool", "wait": "2h"}',
    b'{"job": "pool", "labels": [1]}', b'{"job": "pool", "labels": {"a": 1}}', b'{"job": "pool", "job": "pool"}',
    b'{"job": "pool", "surprise": 1}', b"\xff\xfe", pytest.param(b"[" * 20000, id="deep"),
    pytest.param(b'{"job": "pool", "trajectory": "' + b"x" * 300 + b'"}', id="long"),
])
def test_a_bad_wish_is_400_and_leases_nothing(agent, body):
    before = len(agent.as_("eye").get("/v1/leases").json()["leases"])
    assert agent.as_("alice").request("POST", "/v1/leases", body).status == 400
    assert len(agent.as_("eye").get("/v1/leases").json()["leases"]) == before


def test_unknown_jobs_are_404(agent):
    for name in ("nobody", "../pool", "", "POOL", "pool\n"):
        refused(agent.as_("alice").post("/v1/leases", {"job": name}), 404, "unknown_job")


def test_slots_have_the_fields_of_existing_pools(agent, lease):
    slots = lease.wire.get("/v1/slots").json()["slots"]
    fields = {"slot_id", "alloc_id", "container_addr", "workspace_dir", "state", "trajectory_id", "metadata", "job", "generation", "cause"}
    assert all(fields <= set(slot) for slot in slots)
    mine = [slot for slot in slots if slot["lease"] == lease.id]
    assert [(slot["slot_id"], slot["alloc_id"], slot["state"]) for slot in mine] == [(lease.facts["slot"], lease.facts["container"], "acquired")]
    containers = lease.wire.get("/v1/containers?job=pool").json()["containers"]
    assert lease.facts["container"] in [each["container"] for each in containers]
