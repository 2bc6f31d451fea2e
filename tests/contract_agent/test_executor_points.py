# SPDX-License-Identifier: Apache-2.0
"""More of points 72 to 80: what the tool-executor routes answer by default, bounds, ends of bindings, tool servers that
hang, and the key that makes a call once."""
import json
import signal
import threading
import time

import pytest

from agent_harness import SIGHT, SLOWER, wait_until
from executor_fixtures import agent, outside, run  # noqa: F401
from executor_harness import FIVE, NO_SLOT, POOL, Run, begin, detail, queue_size, tool_server

QUEUE = 4096  # calls of one container
PROMPT = 5 * SLOWER  # "at once" beside a call of 100 s, on a machine with other work
IN_A_BATCH = 300


@pytest.fixture
def tight(user, request):
    """One slot."""
    lease = getattr(request, "param", "{idle: 10m}")
    one = begin(user, POOL.replace("slots: 6", "slots: 1").replace("max: 2", "max: 1") + f"lease: {lease}\n")
    yield one
    one.stop()


def test_72_the_pool_s_status_has_its_fields(agent, run):
    run.sh("true")
    pool = agent.as_(None).get("/status").json()["pool"]
    assert set(pool) == {"total_slots", "available_slots", "acquired_slots", "containers", "slots_by_state", "started"}
    assert pool["acquired_slots"] >= 1 and pool["containers"] >= 1
    assert sum(pool["slots_by_state"].values()) == pool["total_slots"]
    assert set(pool["slots_by_state"]) <= {"available", "acquired", "executing", "releasing", "error"}


def test_72_75_an_artifact_that_is_not_there_has_every_key_at_its_default(run):
    ask = lambda kind, **more: run.wire.post(f"/artifacts/{kind}", {"trajectory_id": run.name, **more}).json()
    assert ask("read", path="a") == {"success": False, "content": "", "error": NO_SLOT, "encoding": "text", "truncated": False,
                                     "bytes": 0, "file_size": None, "path": "", "mime": None, "sha256": None}
    assert ask("list") == {"success": False, "entries": [], "truncated": False, "error": NO_SLOT}
    assert ask("archive") == {"success": False, "content": "", "error": NO_SLOT, "encoding": "base64", "format": "tar.gz",
                              "bytes": 0, "entry_count": 0}


def test_72_arguments_may_be_left_out_and_unknown_fields_are_not_looked_at(run):
    reply = run.wire.post("/execute", {"trajectory_id": run.name, "tool": {"name": "nope", "uniq_id": "7"}, "timeout_s": None,
                                       "stray": [1]})
    assert reply.status == 200 and set(reply.json()) == FIVE and reply.json()["uniq_id"] == "7"


def test_74_a_release_gives_the_next_trajectory_an_empty_workspace(tight):
    first, second = Run(tight, "first"), Run(tight, "second")
    first.sh("mkdir -p a/b; echo x > a/b/c; echo y > .hidden; echo z > /tmp/left; ln -s / link")
    slot = first.leases()[0]["slot"]
    first.release()
    assert second.sh("ls -A; ls -A /tmp")["output"] == "" and second.leases()[0]["slot"] == slot


@pytest.mark.parametrize("tight", ["{ttl: 3s}"], indirect=True)
def test_74_80_the_end_of_its_time_is_told_once(tight):
    """The binding ends by ttl, used or not."""
    run = Run(tight, "t")
    began = time.monotonic()
    run.sh("echo x > file")
    assert run.sh("sleep 1; cat file")["output"] == "x"  # use renews what is idle, not the time to live
    wait_until(lambda: run.leases() == [], SIGHT, "its time is over")
    assert time.monotonic() - began > 2
    told = run.sh("ls")
    assert (told["success"], told["metadata"]["cause"]) == (False, "slot_lost") and "ttl" in told["error"] and run.leases() == []
    assert run.sh("ls -A | wc -l")["output"] == "0"


def test_76_limits_have_a_default_and_bounds(outside, run):
    """As the tool server is told them."""
    for fields, arguments, limit in (({}, {}, 30), ({"timeout_s": 10_000}, {}, 600), ({"timeout_s": 0}, {}, 1),
                                     ({"timeout_s": 7}, {"timeout": 9}, 7), ({"timeout_s": None}, {"timeout": 9}, 9),
                                     ({}, {"timeout": 1e9}, 600), ({}, {"timeout": "50"}, 30), ({}, {"timeout": None}, 30),
                                     ({}, {"timeout": True}, 30)):
        run.call("web_search", arguments, **fields)
        assert outside.seen[-1][2]["timeout_s"] == limit, (fields, arguments)


@pytest.mark.parametrize("tool", ["hang", "trickle"])
def test_77_a_tool_server_that_hangs_holds_its_call_until_the_limit_and_nobody_else(outside, run, tool):
    """W75."""
    run.sh("true")
    results, before = [], len(outside.named(tool))
    began = time.monotonic()
    thread = threading.Thread(target=lambda: results.append(run.call(tool, timeout_s=4)))
    thread.start()
    wait_until(lambda: len(outside.named(tool)) > before, SIGHT, "it is asked")
    assert run.sh("echo on")["output"] == "on" and run.call("web_search")["output"] == "found"
    assert not results
    thread.join(SIGHT)
    outside.let_go()
    assert results[0]["success"] is False and results[0]["error"].startswith("External tool failed: ")
    assert results[0]["metadata"]["cause"] == "timeout" and 4 <= time.monotonic() - began < 4 * 5 * SLOWER


def test_77_releasing_ends_what_a_tool_server_holds(outside, run):
    results = []
    before = len(outside.named("hang"))
    thread = threading.Thread(target=lambda: results.append(run.call("hang", timeout_s=600)))
    thread.start()
    wait_until(lambda: len(outside.named("hang")) > before, SIGHT, "it is asked")
    run.release()
    thread.join(SIGHT)
    outside.let_go()
    assert [result["metadata"]["cause"] for result in results] == ["cancelled"]


def test_77_an_external_call_with_a_key_is_made_once(outside, run):
    before = len(outside.seen)
    asked = lambda: len([body for _, _, body in outside.seen[before:] if body["tool"]["name"] == "keyed"])
    first = run.keyed("k-1", "keyed", {"n": 1}, timeout_s=9)
    again = run.keyed("k-1", "keyed", {"n": 1}, timeout_s=9)
    assert (first["output"], asked()) == ("found", 1)
    assert again == {**first, "metadata": {**first["metadata"], "replayed": True}}
    assert [fields["Idempotency-Key"] for _, fields, _ in outside.seen[before:]] == ["k-1"]
    other = run.keyed("k-1", "keyed", {"n": 2}, timeout_s=9)
    assert (other["success"], other["metadata"]["cause"], asked()) == (False, "rejected", 1)
    run.keyed("k-2", "keyed", {"n": 1}, timeout_s=9)
    Run(run.agent, run.name, "bob").keyed("k-1", "keyed", {"n": 1}, timeout_s=9)
    run.call("keyed", {"n": 1}, timeout_s=9)
    assert asked() == 4
    run.release()  # a new life of the trajectory
    run.keyed("k-1", "keyed", {"n": 1}, timeout_s=9)
    assert asked() == 5


def test_77_80_who_lost_the_answer_of_an_external_call_gets_it_by_its_key(outside, run):
    """The connection is cut while the tool server works; the key comes back, twice at the same time."""
    before = len(outside.named("hang"))
    key = {"Idempotency-Key": "lost"}
    gone = run.begin("hang", {"n": 1}, key, timeout_s=300)
    wait_until(lambda: len(outside.named("hang")) == before + 1, SIGHT, "it is asked")
    results = []
    threads = [threading.Thread(target=lambda: results.append(run.keyed("lost", "hang", {"n": 1}, timeout_s=300))) for _ in range(2)]
    threads[0].start()
    gone.close()
    threads[1].start()
    wait_until(lambda: queue_size(run.agent) >= 3, SIGHT, "they wait for it")
    outside.let_go()
    for thread in threads:
        thread.join(SIGHT)
    assert [(result["output"], result["metadata"]["replayed"]) for result in results] == [("found", True)] * 2
    assert len(outside.named("hang")) == before + 1


def test_77_a_key_whose_call_reached_nobody_may_be_used_again(user, outside):
    with tool_server() as short_lived:
        port = short_lived.server_address[1]
    one = begin(user, config=f"tool_server: {{url: \"http://127.0.0.1:{port}\"}}\n")
    try:
        run = Run(one, "t")
        for _ in range(2):
            result = run.keyed("k", "web_search")
            assert result["error"].startswith("External tool failed: ")
            assert (result["metadata"]["cause"], result["metadata"]["started"]) == ("transport", False)
            assert "replayed" not in result["metadata"]
    finally:
        one.stop()


@pytest.mark.parametrize("drain", ["10m", "300ms"])
def test_77_an_agent_that_stops_lets_external_calls_end_or_tells_them(user, outside, drain):
    """As it does with calls in slots: within the drain, then with a true cause."""
    one = begin(user, config=f"tool_server: {{url: \"http://127.0.0.1:{outside.server_address[1]}\"}}\n", drain=drain)
    try:
        before, results = len(outside.named("hang")), []
        thread = threading.Thread(target=lambda: results.append(Run(one, "t").call("hang", timeout_s=600)))
        thread.start()
        wait_until(lambda: len(outside.named("hang")) > before, SIGHT, "it is asked")
        one.signal(signal.SIGTERM)
        wait_until(lambda: "agent drains" in one.log(), SIGHT, "it stops")
        if drain == "10m":
            outside.let_go()
        thread.join(SIGHT)
        assert one.process.wait(SIGHT) == 0, one.log()
        assert (results[0]["output"] == "found") if drain == "10m" else (results[0]["metadata"]["cause"] == "cancelled"), results
    finally:
        outside.let_go()
        one.kill()


def test_79_a_call_of_100_s_delays_no_other_trajectory(agent, run):
    others = [Run(agent, f"other-{n}") for n in range(2)]
    for each in (run, *others):
        each.sh("true")
    slow = run.begin("terminal", {"command": "sleep 100"}, timeout_s=120)
    wait_until(lambda: run.leases()[0]["calls"] == 1, SIGHT, "it runs")
    began = time.monotonic()
    for number in range(20):
        assert others[number % 2].sh(f"echo {number}")["output"] == str(number)
    assert time.monotonic() - began < PROMPT
    assert run.leases()[0]["calls"] == 1
    slow.close()
    for each in others:
        each.release()


def test_80_calls_of_a_token_beyond_its_share_are_429(agent):
    few = Run(agent, "few", "few")  # may have two under way
    few.sh("true")
    held = [few.begin("terminal", {"command": "sleep 300"}, timeout_s=300) for _ in range(2)]
    wait_until(lambda: few.leases()[0]["calls"] == 2, SIGHT, "they are under way")
    reply = few.post("terminal", {"command": "true"})
    assert detail(reply) == (429, "the token's 2 calls are under way") and int(reply.headers["retry-after"]) >= 1
    assert Run(agent, "others").sh("echo free")["output"] == "free"
    few.release()
    wait_until(lambda: few.post("terminal", {"command": "true"}).status == 200, SIGHT, "its calls have ended")
    few.release()
    Run(agent, "others").release()
    for connection in held:
        connection.close()


def gauge(agent, name):
    for line in agent.as_("eye").get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(name)


def test_80_a_full_queue_is_429_for_who_comes_later_alone(tight):
    """The container's queue is filled over /v1; the trajectory's own call finds no room, and is told to come again."""
    run = Run(tight, "t")
    run.sh("true")
    lease = f"/v1/leases/{run.leases()[0]['lease']}"
    waiting = {"lease": lease.rpartition("/")[2], "tool": "bash", "args": {"command": "sleep 300"}, "timeout": 600}
    streams = [tight.as_("alice").connection() for _ in range(-(-QUEUE // IN_A_BATCH))]
    sent = 0
    for stream in streams:  # each batch holds as many as fit; nobody waits for them
        count = min(IN_A_BATCH, QUEUE - sent)
        body = [dict(waiting, execution_id=f"e{sent + n}") for n in range(count)]
        stream.request("POST", "/v1/batch?stream=1", json.dumps(body), tight.as_("alice").headers)
        sent += count
        wait_until(lambda: int(gauge(tight, "berth_link_calls")) == sent, SIGHT, "they are queued")
    reply = run.post("terminal", {"command": "true"})
    assert reply.status == 429 and "unanswered calls" in reply.json()["detail"] and int(reply.headers["retry-after"]) >= 1
    run.release()
    for stream in streams:
        stream.close()
    assert run.sh("echo free")["output"] == "free"
