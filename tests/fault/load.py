# SPDX-License-Identifier: Apache-2.0
"""Trajectories that use an agent in every way that a program can, and note of each call how it ended. What an answer
may be is decided here, from what happened to the call's container; sets are compared by the test."""
import dataclasses
import http.client
import json
import random
import threading
import time

from agent_harness import bearer
from wire import Wire
from witness import argv

ACQUIRE_WAIT = 20
ACQUIRE_GRACE = 15     # a deadline always answers
CALL_TIMEOUT = 120     # no call of this load comes near it
FOREVER = 300          # what is cancelled or timed out would sleep so long
FILE_PATIENCE = 60
LOST = "container_lost"
# How often a trajectory makes a call in which way, and what the call does.
WAYS = {"plain": 8, "streamed": 2, "cut": 2, "asked_again": 2, "batch": 3, "cancelled": 1, "timed_out": 1}
DEEDS = {"quick": 5, "slow_before": 2, "slow_after": 2, "fails": 1}
FAILURE = 3


@dataclasses.dataclass
class Lease:
    id: str
    job: str
    container: str
    slot: str
    generation: int
    granted_at: float
    given_back_at: float = None
    lost: bool = False
    calls: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Call:
    """One call and its end. `fate`: success, exit, timeout, transport, cancelled, container_lost (the causes), refused (never
    accepted), untold (its caller went away, and its container was killed before it came back)."""
    id: str
    args: dict
    timeout: float
    allowed: tuple         # causes that its own doing can have
    fate: str = None
    started: object = True
    notes: int = 0         # how often its end was told to whoever asked once

    def body(self, **more):
        return {"tool": "exec", "args": self.args, "execution_id": self.id, "timeout": self.timeout, **more}

    def is_certain(self):
        return self.fate in ("success", "exit")

    def cannot_have_run(self):
        return self.fate == "refused" or self.started is False


class Trajectory:
    def __init__(self, run, number):
        self.run = run
        self.name = f"t{number}"
        self.job = run.jobs[number % len(run.jobs)]
        self.dice = random.Random(f"{run.seed}-{number}")
        self.wire = Wire(run.agent.port, bearer("alice"))
        self.left = run.calls_each
        self.next_call = 0

    def live(self):
        while self.goes_on():
            lease = self.acquire()
            uses = self.dice.randint(3, 8)
            while self.goes_on() and uses > 0 and not lease.lost:
                self.make_calls(lease)
                uses -= 1
            if not lease.lost:
                self.check_what_is_there(lease)
            self.give_back(lease)

    def goes_on(self):
        return self.left > 0 or self.run.killer.is_alive()

    # --- leases ---------------------------------------------------------------------------------------------------

    def acquire(self):
        while True:
            before = time.monotonic()
            reply = self.wire.post("/v1/leases", {"job": self.job, "trajectory": self.name, "wait": f"{ACQUIRE_WAIT}s"})
            took = time.monotonic() - before
            assert took < ACQUIRE_WAIT + ACQUIRE_GRACE, f"an answer to acquire after {took:.1f} s"
            facts = reply.json()
            if reply.status == 201:
                lease = Lease(facts["lease"], self.job, facts["container"], facts["slot"], facts["generation"], time.monotonic())
                return self.run.add_lease(lease)
            # The second: all of the job's containers were killed, and it pauses before the next.
            refusal = (reply.status, facts["error"]["code"])
            assert refusal in ((429, "no_slot"), (503, "container_failed")), (reply.status, reply.body)
            assert took > ACQUIRE_WAIT * 0.9, f"refused after {took:.1f} s of {ACQUIRE_WAIT}"

    def give_back(self, lease):
        lease.given_back_at = time.monotonic()
        reply = self.wire.request("DELETE", f"/v1/leases/{lease.id}")
        assert reply.status == 204 or self.is_gone(lease, reply), (reply.status, reply.body)
        if self.dice.random() < 0.3 and not lease.lost:  # twice is harmless
            again = self.wire.request("DELETE", f"/v1/leases/{lease.id}")
            assert again.status == 204, (again.status, again.body)
        if self.dice.random() < 0.3:
            self.use_after_the_end(lease)

    def use_after_the_end(self, lease):
        call = self.new_call(lease, argv(self.fresh_id(), self.run.port), ())
        reply = self.post(lease, call)
        assert reply.status == 410 and reply.json()["error"]["code"] == "lease_ended", (reply.status, reply.body)
        call.fate = "refused"

    def is_gone(self, lease, reply):
        """Whether this refusal is what the killed container of the lease explains."""
        if reply.status not in (410, 502, 503, 504) or not self.was_killed(lease):
            return False
        lease.lost = True
        return True

    def was_killed(self, lease):
        return lease.container in self.run.killer.killed

    def expect_killed(self, lease, why):
        assert self.was_killed(lease), f"{why}, and nobody killed {lease.container}"
        lease.lost = True

    # --- calls ----------------------------------------------------------------------------------------------------

    def fresh_id(self):
        self.next_call += 1
        return f"{self.name}.{self.next_call}"

    def new_call(self, lease, words, allowed, timeout=CALL_TIMEOUT):
        call = Call(words[3], {"argv": words}, timeout, allowed)
        lease.calls.append(call)
        return call

    def some_call(self, lease):
        deed = self.dice.choices(list(DEEDS), DEEDS.values())[0]
        pause = self.dice.uniform(0.01, 0.2)
        how = {"quick": {}, "slow_before": {"before": pause}, "slow_after": {"after": pause}, "fails": {"code": FAILURE}}[deed]
        return self.new_call(lease, argv(self.fresh_id(), self.run.port, **how), ("exit",) if deed == "fails" else ("success",))

    def make_calls(self, lease):
        way = self.dice.choices(list(WAYS), WAYS.values())[0]
        before = len(lease.calls)
        getattr(self, way)(lease)
        self.left -= len(lease.calls) - before

    def post(self, lease, call, query=""):
        return self.wire.post(f"/v1/leases/{lease.id}/executions{query}", call.body())

    def plain(self, lease):
        call = self.some_call(lease)
        self.take(lease, call, self.post(lease, call))
        return call

    def take(self, lease, call, reply):
        """The whole answer to a call."""
        if reply.status == 410:
            assert reply.json()["error"]["code"] == "lease_ended", reply.body
            self.expect_killed(lease, f"{call.id} was refused: {reply.body}")
            call.fate = "refused"
            call.notes += 1
            return
        assert reply.status == 200, (call.id, reply.status, reply.body)
        self.take_result(lease, call, reply.json())

    def take_result(self, lease, call, result):
        assert result["execution_id"] == call.id, (call.id, result)
        metadata = result["metadata"]
        cause = "success" if result["success"] else metadata["cause"]
        call.notes += 1
        call.fate, call.started = cause, metadata["started"]
        if cause == LOST:
            return self.expect_killed(lease, f"{call.id} ended as {result}")
        if metadata.get("code") == "lease_ended":
            # The agent has forgotten the lease's ids and may not deny that one ran; this one was asked for once only.
            assert (cause, call.started) == ("slot_lost", "unknown"), result
            call.fate = "refused"
            return self.expect_killed(lease, f"{call.id} was refused: {result}")
        assert cause in call.allowed, (call.id, call.allowed, result)
        if call.is_certain():
            self.check_output(lease, call, result)

    def check_output(self, lease, call, result):
        """What a call saw of its slot: the calls of its own lease before it, nobody else's."""
        assert result["metadata"].get("exit_code") == (0 if call.fate == "success" else FAILURE), result
        seen, noted = result["output"].splitlines()[0].split()
        earlier = lease.calls[:lease.calls.index(call)]
        certain = sum(each.is_certain() for each in earlier)
        possible = sum(not each.cannot_have_run() for each in earlier)
        assert noted == "noted" and certain <= int(seen) <= possible, (call.id, certain, possible, result)

    def streamed(self, lease):
        call = self.some_call(lease)
        path = f"/v1/leases/{lease.id}/executions?stream=1"
        connection = self.wire.connection()
        try:
            connection.request("POST", path, json.dumps(call.body()), self.wire.headers)
            response = connection.getresponse()
            if response.status != 200:
                assert response.status == 410, (response.status, response.read())
                self.expect_killed(lease, f"{call.id} was refused")
                call.fate = "refused"
                call.notes += 1
                return
            lines = [json.loads(line) for line in response]
        finally:
            connection.close()
        results = [line for line in lines if line["type"] == "result"]
        assert len(results) == 1 and lines[-1] == {"type": "end", "results": 1}, lines
        self.take_result(lease, call, results[0])

    def batch(self, lease):
        calls = [self.some_call(lease) for _ in range(3)]
        reply = self.wire.post("/v1/batch", [call.body(lease=lease.id) for call in calls])
        assert reply.status == 200, (reply.status, reply.body)
        results = reply.json()
        assert len(results) == len(calls), results
        for call, result in zip(calls, results):
            self.take_result(lease, call, result)

    def cut(self, lease):
        """The connection breaks at some moment; the same id is asked for again."""
        call = self.some_call(lease)
        connection = self.wire.connection()
        connection.request("POST", f"/v1/leases/{lease.id}/executions", json.dumps(call.body()), self.wire.headers)
        time.sleep(self.dice.choice((0, 0.002, 0.02, 0.1)))
        connection.close()
        reply = self.post(lease, call)
        if reply.status != 410:
            return self.take(lease, call, reply)
        # Nobody knows by now whether it was accepted; if it was, and its end is kept, it is told.
        self.expect_killed(lease, f"{call.id} was refused")
        told = self.wire.get(f"/v1/leases/{lease.id}/executions/{call.id}")
        call.fate, call.started = "untold", "unknown"
        if told.status == 200:
            return self.take_result(lease, call, told.json()["result"])
        assert told.status == 410, (told.status, told.body)
        call.notes += 1

    def asked_again(self, lease):
        call = self.plain(lease)
        if lease.lost:
            return
        again = self.post(lease, call)
        if not self.is_gone(lease, again):
            result = again.json()
            lost = result["metadata"]["cause"] == LOST
            if lost:
                return self.expect_killed(lease, f"{call.id} asked again ended as {result}")
            assert again.status == 200 and result["metadata"]["replayed"] is True, (again.status, again.body)
            assert result["success"] == (call.fate == "success"), (call, result)
        other = dataclasses.replace(call, args={"argv": ["/bin/true"]})
        if not lease.lost:
            reply = self.post(lease, other)
            assert reply.status == 409 or self.is_gone(lease, reply) or self.ended_with_its_container(lease, reply), reply

    def ended_with_its_container(self, lease, reply):
        if reply.status != 200 or reply.json()["metadata"]["cause"] != LOST:
            return False
        self.expect_killed(lease, "a call was lost")
        return True

    def timed_out(self, lease):
        """Its server may stand still until after the call's limit; then nobody knows more than that. On a machine with too
        much to do one that lives may look the same now and then."""
        limit = self.dice.uniform(0.3, 0.6)
        call = self.new_call(lease, argv(self.fresh_id(), self.run.port, after=FOREVER), ("timeout", "transport"), limit)
        before = time.monotonic()
        self.take(lease, call, self.post(lease, call))
        self.run.note_limited(call, call.fate != "transport" or self.run.killer.stood_still_since(lease.container, before))

    def cancelled(self, lease):
        call = self.new_call(lease, argv(self.fresh_id(), self.run.port, after=FOREVER), ("cancelled",), FOREVER)
        path = f"/v1/leases/{lease.id}/executions/{call.id}"
        accepted = self.post(lease, call, "?wait=0")
        if accepted.status != 202:
            return self.take(lease, call, accepted)
        time.sleep(self.dice.choice((0, 0.01, 0.1)))
        reply = self.wire.request("DELETE", path)
        assert reply.status == 200 or self.is_gone(lease, reply), (reply.status, reply.body)
        end = time.monotonic() + CALL_TIMEOUT
        while True:
            told = self.wire.get(path)
            if told.status == 200 and told.json()["state"] == "finished":
                return self.take_result(lease, call, told.json()["result"])
            if told.status != 200:
                assert self.is_gone(lease, told), (told.status, told.body)
            assert time.monotonic() < end, f"{call.id} was cancelled and did not end: {told.body}"
            time.sleep(0.02)

    # --- what the slot and the ledger say -----------------------------------------------------------------------------

    def check_what_is_there(self, lease):
        self.check_file(lease)
        for call in lease.calls:
            if lease.lost:
                return
            self.check_ledger(lease, call)

    def check_file(self, lease):
        try:
            reply = self.wire.get(f"/v1/leases/{lease.id}/files/ran", timeout=FILE_PATIENCE)
        except http.client.IncompleteRead:  # its container was killed between the answer's head and its end
            return self.expect_killed(lease, "a file was cut off")
        if self.is_gone(lease, reply):
            return
        assert reply.status in (200, 404), (reply.status, reply.body)
        ran = reply.body.decode().splitlines() if reply.status == 200 else []
        order = [call.id for call in lease.calls if call.is_certain() or call.id in ran]
        assert ran == order, f"the slot's file has {ran}, its calls were {lease.calls}"

    def check_ledger(self, lease, call):
        reply = self.wire.get(f"/v1/leases/{lease.id}/executions/{call.id}")
        if self.is_gone(lease, reply):
            return
        told = reply.json()
        if call.fate == "transport":
            return
        assert reply.status == 200 and told["state"] == "finished", (call, reply.status, reply.body)
        result = told["result"]
        assert ("success" if result["success"] else result["metadata"]["cause"]) == call.fate, (call, result)
        self.run.in_ledger(call)


class Run:
    """What all trajectories share, and what they have noted."""

    def __init__(self, agent, seed, jobs, calls_each, port):
        self.agent = agent
        self.seed = seed
        self.jobs = jobs
        self.calls_each = calls_each
        self.port = port
        self.killer = None
        self.leases = []
        self.ledger = set()
        self.limited = []   # calls that were to end by their own limit
        self.unheard = []   # those of which nothing was heard, although their server did not stand still
        self._lock = threading.Lock()

    def add_lease(self, lease):
        with self._lock:
            self.leases.append(lease)
        return lease

    def note_limited(self, call, explained):
        with self._lock:
            self.limited.append(call)
            if not explained:
                self.unheard.append(call)

    def in_ledger(self, call):
        with self._lock:
            self.ledger.add(call.id)

    def calls(self):
        return [call for lease in self.leases for call in lease.calls]
