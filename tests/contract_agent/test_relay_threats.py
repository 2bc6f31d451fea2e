# SPDX-License-Identifier: Apache-2.0
"""Rows 41, 42 and 59 of the threats, from the caller's side: connections that are cut in each phase, slot servers that
fall silent or lie. The stand-in before the real slot server does it; the relay's unit tests know more kinds."""
import threading
import time

import pytest

import stand_in
from agent_harness import SIGHT, SLOWER, Lease, allowed, wait_until
from executor_harness import Run, begin

POOL = "job: pool\nslots: 4\ncontainers: {min: 1, max: 1}\nisolation: best-effort\n"
DEADLINE = 1
LATE = 5 * (DEADLINE + 0.1 + 0.3)  # row 41: by its deadline + 100 ms, and the question whether the server lives
GROWTH = 64 << 20
LIES = ["foreign", "swapped", "twice", "beyond", "deep", "huge", "endless", "fields"]


@pytest.fixture(scope="module")
def agent(user):
    one = begin(user, POOL, prepare=stand_in.plant)
    yield one
    stand_in.Faults(one.folder).set()
    one.stop()


@pytest.fixture
def faults(agent):
    told = stand_in.Faults(agent.folder)
    yield told
    told.set()
    root = agent.as_("root")  # a test that failed may have left some
    for lease in root.get("/v1/leases").json()["leases"]:
        root.request("DELETE", f"/v1/leases/{lease['lease']}")


def once(faults, **how):
    """Sets a fault and takes it back when it has happened."""
    before = len(faults.seen())
    faults.set(**how)

    def take_back():
        wait_until(lambda: len(faults.seen()) > before, SIGHT, f"{how} happens")
        faults.set()

    thread = threading.Thread(target=take_back)
    thread.start()
    return thread


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("way", ["v1", "stream", "executor"])
def test_row41_row59_a_connection_that_is_cut_costs_no_call_and_runs_none_twice(agent, faults, phase, way):
    """Before the request is read; while the command runs. The relay asks again by the id."""
    lease, run = Lease(agent), Run(agent, f"{phase}-{way}")
    run.sh("true")
    lease.output("true")
    command = "echo ran >> count; sleep 0.3; wc -l < count"
    waiting = once(faults, batch=phase)
    if way == "executor":
        result = run.sh(command)
    elif way == "v1":
        result = lease.bash(command, execution_id="once").json()
    else:
        told = list(lease.wire.lines(f"{lease.path}/executions?stream=1",
                                     {"tool": "bash", "args": {"command": command}, "execution_id": "once"}))
        assert "".join(line["text"] for line in told if line["type"] == "output") == "1\n"
        result = next(line for line in told if line["type"] == "result")
    waiting.join(SIGHT)
    assert (result["success"], result["output"], result["metadata"]["cause"]) == (True, "1", "exit"), result
    again = run.sh("wc -l < count") if way == "executor" else lease.bash("wc -l < count").json()
    assert again["output"] == "1"
    run.release(), lease.release()


def test_row41_a_slot_server_that_falls_silent_holds_no_call_beyond_its_deadline(agent, faults):
    lease, run = Lease(agent), Run(agent, "silent")
    run.sh("true")
    faults.set(batch="silent")
    for ask in (lambda: lease.bash("true", timeout=DEADLINE).json(), lambda: run.sh("true", timeout_s=DEADLINE)):
        began = time.monotonic()
        result = ask()
        # A server that lives is given 5 s more, once: this one answers /health.
        assert time.monotonic() - began < (LATE + 2 * 5) * SLOWER
        assert (result["success"], result["metadata"]["cause"]) == (False, "transport")
        assert result["metadata"]["started"] in ("unknown", False)  # one that waited behind the first was not sent
        assert result["error"]
    faults.set()
    assert wait_until(lambda: lease.bash("echo back").json()["output"] == "back", SIGHT, "it serves again")
    assert run.sh("echo back")["output"] == "back"
    run.release(), lease.release()


def rss(agent):
    for line in open(f"/proc/{agent.process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def lies_told(agent):
    for line in agent.as_("eye").get("/metrics").body.decode().splitlines():
        if line.startswith("berth_protocol_errors_total "):
            return float(line.rpartition(" ")[2])
    raise AssertionError("berth_protocol_errors_total")


@pytest.mark.parametrize("lie", LIES)
def test_row42_a_lying_slot_server_is_a_protocol_error_and_no_call_is_given_another_s_result(agent, faults, lie):
    leases, run = [Lease(agent) for _ in range(3)], Run(agent, f"lie-{lie}")
    run.sh("true")
    before, told = rss(agent), lies_told(agent)
    faults.set(batch=lie)
    body = [{"lease": lease.id, "tool": "bash", "args": {"command": "echo true"}, "execution_id": f"{lie}-{n}", "timeout": 20}
            for n, lease in enumerate(leases)]
    results = leases[0].wire.post("/v1/batch", body).json()
    results.append(run.sh("echo true", timeout_s=20))
    assert any(result["metadata"]["cause"] == "protocol" for result in results), results
    for n, (lease, result) in enumerate(zip(leases, results)):
        own = f"secret of {lease.facts['slot']} {lie}-{n}"  # what a container says of a call in that call's own name
        assert result["output"] in ("", own) and result["execution_id"] == f"{lie}-{n}", (lie, result)
        assert result["metadata"]["cause"] == "protocol" or result["output"] == own
        assert result["success"] or result["error"]
    assert lie == "twice" or results[3]["output"] == "" and results[3]["metadata"]["cause"] == "protocol", results[3]
    assert rss(agent) - before < allowed(GROWTH) and lies_told(agent) > told
    faults.set()
    for n, lease in enumerate(leases):
        assert lease.output(f"echo {n}") == str(n)
        lease.release()
    assert run.sh("echo on")["output"] == "on"
    run.release()
