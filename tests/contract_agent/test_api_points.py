# SPDX-License-Identifier: Apache-2.0
"""Points 66 to 68 of the contract: long calls, errors with words, held slots, releases. A stand-in before the slot server
does what a sick one would."""
import contextlib
import threading

import pytest

import stand_in
from agent_harness import SIGHT, Lease, refused, wait_until
from executor_harness import Run, begin

LONG = 45
LIMIT = 60
TWO = "job: pool\nslots: 2\ncontainers: {min: 1, max: 1}\nisolation: best-effort\n"
ONE = TWO.replace("slots: 2", "slots: 1")
NOTICED = 60  # a look at the health every 5 s, 2 s for the answer: on a machine with other work
HELD_OFF = 4  # how long a slot whose resets fail is waited for


@contextlib.contextmanager
def behind_a_stand_in(user, pool):
    one = begin(user, pool, prepare=stand_in.plant)
    yield one, stand_in.Faults(one.folder)
    stand_in.Faults(one.folder).set()
    one.stop()


@pytest.fixture
def sick(user):
    """(agent, faults): two slots behind a stand-in that is told what to do wrong."""
    with behind_a_stand_in(user, TWO) as both:
        yield both


@pytest.fixture
def single(user):
    with behind_a_stand_in(user, ONE) as both:
        yield both


def ready(agent):
    return agent.as_("eye").get("/readyz")


def slots(agent):
    return agent.as_("root").get("/v1/slots").json()["slots"]


def test_p66_a_command_of_45_s_with_a_limit_of_60_succeeds_on_every_way(agent):
    """Over /v1, in a batch, streamed, and over the tool-executor routes, at the same time."""
    command = {"command": f"sleep {LONG}; echo done"}
    leases = [Lease(agent) for _ in range(3)]
    run = Run(agent, "p66")
    call = {"tool": "bash", "args": command, "timeout": LIMIT}
    streamed = lambda: [line for line in leases[2].wire.lines(f"{leases[2].path}/executions?stream=1", call)
                        if line["type"] == "result"][0]
    ways = {"single": lambda: leases[0].call("bash", command, timeout=LIMIT).json(), "streamed": streamed,
            "batch": lambda: leases[1].wire.post("/v1/batch", [{"lease": leases[1].id, **call}]).json()[0],
            "tool executor": lambda: run.call("terminal", command, timeout_s=LIMIT)}
    results = {}
    threads = [threading.Thread(target=lambda name=name, way=way: results.update({name: way()})) for name, way in ways.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG + LIMIT)
    for name in ways:
        assert (results[name]["success"], results[name]["output"]) == (True, "done"), (name, results.get(name))
    run.release()
    for lease in leases:
        lease.release()


def failures(lease, run):
    """Calls that fail, each in its own way: (what, result)."""
    for what, tool, args, fields in (
            ("exit", "bash", {"command": "exit 3"}, {}), ("signal", "bash", {"command": "kill -9 $$"}, {}),
            ("timeout", "bash", {"command": "sleep 60"}, {"timeout": 0.2}), ("tool", "nonsense", {}, {}),
            ("arguments", "bash", {"command": 5}, {}), ("file", "read_file", {"path": "none"}, {}), ("keys", "tmux", {"action": "x"}, {}),
            ("outside", "read_file", {"path": "../../etc/passwd"}, {}), ("program", "exec", {"argv": ["/no/such"]}, {}),
            ("too large", "write_file", {"path": "a", "content": "x" * 100_001}, {})):
        yield what, lease.wire.post("/v1/batch", [{"lease": lease.id, "tool": tool, "args": args, **fields}]).json()[0]
    for what, element in (("lease", {"lease": "0" * 32, "tool": "bash"}), ("element", 5), ("limit", {"lease": lease.id, "tool": "bash", "timeout": 0})):
        yield what, lease.wire.post("/v1/batch", [element]).json()[0]
    for what, tool, arguments, fields in (
            ("terminal", "terminal", {"command": "exit 1"}, {}), ("limit", "terminal", {"command": "sleep 60"}, {"timeout_s": 1}),
            ("unknown", "bash", {}, {}), ("file", "read_file", {"path": "none"}, {}), ("background", "terminal", {"background": True}, {}),
            ("external", "web_search", {}, {}), ("no command", "terminal_stateful", {}, {})):
        yield f"tool executor: {what}", run.call(tool, arguments, **fields)


def test_p66_no_failure_has_an_empty_error(agent, lease):
    run = Run(agent, "p66-failures")
    seen = 0
    for what, result in failures(lease, run):
        seen += 1
        assert result["success"] is False and result["error"].strip() and result["metadata"]["cause"], (what, result)
    assert seen == 20
    run.sh("true")
    cancelled = []
    thread = threading.Thread(target=lambda: cancelled.append(run.sh("sleep 300", timeout_s=300)))
    thread.start()
    wait_until(lambda: run.leases()[0]["calls"] == 1, SIGHT, "it runs")
    run.release()
    thread.join(SIGHT)
    assert cancelled[0]["error"].strip() and cancelled[0]["metadata"]["cause"] == "cancelled"


def test_p67_a_missed_health_answer_changes_no_held_slot(sick):
    agent, faults = sick
    lease, run = Lease(agent), Run(agent, "holder")
    lease.output("echo mine > file")
    run.sh("echo ours > file")
    held = [(slot["slot_id"], slot["generation"], slot["lease"], slot["trajectory_id"]) for slot in slots(agent)]
    for how in ("deaf", "cut"):
        faults.set(health=how)
        wait_until(lambda: ready(agent).status == 503, NOTICED, f"the agent misses a health answer: {how}")
        assert "do not answer" in ready(agent).json()["reasons"][0]["message"]
        assert [(slot["slot_id"], slot["generation"], slot["lease"], slot["trajectory_id"]) for slot in slots(agent)] == held
        assert lease.output("cat file") == "mine" and run.sh("cat file")["output"] == "ours"
        faults.set()
        wait_until(lambda: ready(agent).status == 200, NOTICED, "it is healthy again")
    assert [(slot["slot_id"], slot["generation"], slot["lease"], slot["trajectory_id"]) for slot in slots(agent)] == held
    assert lease.output("cat file") == "mine" and run.sh("cat file")["output"] == "ours"


def test_p67_a_slot_of_a_container_that_does_not_answer_is_held_by_nobody_or_one(sick):
    agent, faults = sick
    lease = Lease(agent)
    lease.output("echo mine > file")
    faults.set(health="deaf")
    wait_until(lambda: ready(agent).status == 503, NOTICED, "the agent misses a health answer")
    # What is free there is not leased while nobody knows how it is; what is held stays with its holder.
    refused(agent.as_("bob").post("/v1/leases", {"job": "pool", "wait": "1s"}), 429, "no_slot")
    waiting = []
    thread = threading.Thread(target=lambda: waiting.append(Lease(agent, "bob", trajectory="late")))
    thread.start()
    faults.set()
    thread.join(NOTICED)
    assert waiting[0].facts["slot"] != lease.facts["slot"] and waiting[0].output("ls -A") == ""
    refused(agent.as_("root").post("/v1/leases", {"job": "pool"}), 429, "no_slot")
    assert lease.output("cat file") == "mine"


def test_p68_a_second_release_changes_nothing(single):
    """W58: not for who has the slot now, nor for who waits for it."""
    agent, _ = single
    first = Lease(agent, trajectory="first")
    assert first.release().status == 204
    second = Run(agent, "second", "bob")
    second.sh("echo mine > file")
    for _ in range(3):
        assert first.release().status == 204
        Run(agent, "first").release()
        Run(agent, "second", "alice").release()  # the same name, but another one's
    assert second.sh("cat file")["output"] == "mine" and len(second.leases()) == 1
    refused(agent.as_("root").post("/v1/leases", {"job": "pool"}), 429, "no_slot")
    for _ in range(2):
        second.release()
    third = Lease(agent)
    second.release()
    assert third.output("ls -A") == ""


def test_p68_a_failed_reset_never_leads_to_a_free_slot(single):
    """W59."""
    agent, faults = single
    dirty = Lease(agent)
    dirty.output("echo secret > left")
    where = (dirty.facts["container"], dirty.facts["slot"])
    faults.set(reset="fail")
    assert dirty.release().status == 204
    wait_until(lambda: "/reset:fail" in faults.seen(), SIGHT, "a reset has failed")
    states = {slot["state"] for slot in slots(agent) if (slot["alloc_id"], slot["slot_id"]) == where}
    assert states <= {"error", "releasing"}
    told = wait_until(lambda: (reply := ready(agent)).status == 503 and reply.json()["reasons"], SIGHT, "it is not ready")
    assert told[0]["job"] == "pool"
    reply = agent.as_("bob").post("/v1/leases", {"job": "pool", "wait": f"{HELD_OFF}s"})
    if reply.status == 201:  # only of another container, in place of the one that cannot be cleaned
        assert reply.json()["container"] != where[0]
        agent.as_("bob").request("DELETE", f"/v1/leases/{reply.json()['lease']}")
    faults.set()
    clean = Lease(agent, wait="60s")
    assert clean.output("ls -A") == ""
    text = agent.as_("eye").get("/metrics").body.decode()
    assert 'berth_slot_changes_total{job="pool",state="error"}' in text
