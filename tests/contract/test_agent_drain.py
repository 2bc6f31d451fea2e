# SPDX-License-Identifier: Apache-2.0
"""SIGTERM of `berth agent`: running calls may end, nothing new begins, a second signal ends everything (row 58)."""
import signal
import threading
import time

from agent_fixtures import fresh_machine as machine  # noqa: F401
from agent_harness import Agent
from harness import descendants, wait_until

BEGUN = 30
FORCED_LIMIT = 5 * 2


class Running:
    """A call under way in a thread; `result` once it has been answered."""

    def __init__(self, agent, command, timeout=1000):
        self.lease = agent.acquire()
        self.result = None
        self.error = None
        wire = agent.wire
        path = f"/v1/leases/{self.lease}/executions"

        def call():
            try:
                self.result = wire.post(path, {"tool": "bash", "args": {"command": command}, "timeout": timeout}).json()
            except OSError as error:
                self.error = error

        self.thread = threading.Thread(target=call)
        self.thread.start()
        wait_until(lambda: wire.get(f"/v1/leases/{self.lease}").json()["calls"] == 1, BEGUN, "the call runs")

    def done(self):
        self.thread.join(60)
        assert not self.thread.is_alive() and self.error is None, self.error
        return self.result


def terminate(agent):
    family = descendants(agent.process.pid)
    agent.process.send_signal(signal.SIGTERM)
    agent.wait_for_log("agent drains")
    return family


def test_a_running_call_ends_and_nothing_new_begins(machine):
    agent = Agent(machine).ready()
    call = Running(agent, "while [ ! -e go ]; do sleep 0.05; done; echo done")
    family = terminate(agent)
    wait_until(lambda: agent.wire.get("/readyz").status == 503, BEGUN, "not ready")
    assert agent.wire.get("/healthz").status == 200
    refused = agent.wire.post("/v1/leases", {"job": "pool"})
    assert refused.status == 503 and refused.json()["error"]["code"] == "agent_stopping"
    assert agent.wire.request("PUT", f"/v1/leases/{call.lease}/files/go", b"").status < 300
    assert call.done()["output"] == "done"
    agent.ended(family)


def test_waiting_acquires_are_answered(machine):
    agent = Agent(machine, jobs="job: pool\nslots: 1\nisolation: best-effort\n").ready()
    call = Running(agent, "sleep 2; echo done")
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(agent.wire.post("/v1/leases", {"job": "pool", "wait": "600s"}).status))
    waiting.start()
    wait_until(lambda: agent.wire.get("/v1/jobs").json()["jobs"][0]["waiting"] == 1, BEGUN, "it waits")
    family = terminate(agent)
    waiting.join(30)
    assert answers == [503] and call.done()["output"] == "done"
    agent.ended(family)


def test_after_the_drain_calls_are_cut_with_a_true_cause(machine):
    agent = Agent(machine, "--config", machine.write("agent.yaml", "drain: 300ms\n")).ready()
    call = Running(agent, "echo begun; sleep 1000")
    family = terminate(agent)
    result = call.done()
    assert result["success"] is False and result["metadata"]["cause"] in ("cancelled", "slot_lost", "container_lost")
    agent.ended(family)
    assert "calls are cut off calls=1" in agent.log()


def test_a_second_signal_forces(machine):
    agent = Agent(machine, "--config", machine.write("agent.yaml", "drain: 10m\n")).ready()
    call = Running(agent, "sleep 1000")
    family = terminate(agent)
    time.sleep(0.2)  # the drain is on, and would last ten minutes
    assert agent.process.poll() is None
    begin = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    agent.ended(family)
    assert time.monotonic() - begin < FORCED_LIMIT
    call.thread.join(30)


def test_event_streams_end(machine):
    agent = Agent(machine).ready()
    follower = agent.machine.popen("events", "--follow", env={"BERTH_ADDR": agent.address})
    wait_until(lambda: "berth_event_streams 1" in agent.wire.get("/metrics").body.decode(), BEGUN, "it listens")
    begin = time.monotonic()
    agent.stop()
    assert time.monotonic() - begin < 5 * 2
    follower.send_signal(signal.SIGINT)
    assert follower.wait(30) == 130
