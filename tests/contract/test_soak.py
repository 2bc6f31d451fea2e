# SPDX-License-Identifier: Apache-2.0
"""Ten thousand mixed calls from fifty connections, a fifth of them hostile or cut: every good one is answered right, and
the server is back at its idle memory, descriptors and processes afterwards."""
import collections
import contextlib
import http.client
import json
import os
import random
import threading
import time

import pytest

from harness import Slot, allowed, descendants, wait_until

CALLERS = 50
CALLS = 200          # of each caller
SHARED = 8           # slots that callers share; the two others belong to one caller each, who also resets
OWN, HOSTILE = "slot_8", "slot_9"
SETTLE = 60
MARGIN = 8 << 20     # above the idle memory: the allocator's leftovers of fifty connections and ten thousand results
SEED = 20260


class Caller(threading.Thread):
    """One connection that is kept, and others that are spoiled."""

    def __init__(self, wire, number):
        super().__init__()
        self.wire, self.number = wire, number
        self.random = random.Random(SEED + number)
        self.slot = OWN if number == 0 else f"slot_{number % SHARED}"
        self.kept = wire.connection()
        self.made = 0
        self.count = collections.Counter()
        self.wrong = []

    def run(self):
        try:
            for turn in range(CALLS):
                self.one_call(turn)
        except Exception as error:  # a thread's exception would go unseen
            self.wrong.append(repr(error))
        finally:
            self.kept.close()

    def one_call(self, turn):
        if self.random.random() < 0.2:
            self.count["hostile"] += 1
            return self.random.choice(HOSTILITIES)(self)
        kinds = GOOD + ([Caller.reset] if self.number == 0 else [])
        kind = self.random.choice(kinds)
        self.count[kind.__name__] += 1
        kind(self, f"{self.number}-{turn}")

    # What good callers do.

    def post(self, path, body):
        self.kept.request("POST", path, json.dumps(body))
        response = self.kept.getresponse()
        text = response.read()
        assert response.status == 200, (response.status, text[:300])
        return text

    def call(self, tool, args, **fields):
        return {"slot_id": self.slot, "tool": tool, "args": args, "timeout": 100, **fields}

    def expect(self, result, output, what):
        if result.get("output") != output or result.get("success") is not True:
            self.wrong.append((what, output, result))

    def bash(self, nonce):
        result = json.loads(self.post("/execute", self.call("bash", {"command": f"echo {nonce}; echo {nonce} >&2"}, execution_id=f"b-{nonce}")))
        self.expect(result, f"{nonce}\n\n[stderr]\n{nonce}", "bash")
        if result["execution_id"] != f"b-{nonce}":
            self.wrong.append(("id", nonce, result))

    def exec(self, nonce):
        self.expect(json.loads(self.post("/execute", self.call("exec", {"argv": ["/bin/cat"], "stdin": nonce}))), nonce, "exec")

    def files(self, nonce):
        content = nonce * self.random.randrange(1, 3000)
        calls = [self.call("write_file", {"path": f"f{self.number}", "content": content}),
                 self.call("read_file", {"path": f"f{self.number}"})]
        wrote, read = json.loads(self.post("/batch", calls))
        if wrote["success"] is not True:
            self.wrong.append(("write", nonce, wrote))
        self.expect(read, content, "read")

    def batch(self, nonce):
        calls = [self.call("bash", {"command": f"echo {nonce}-{i}"}) for i in range(3)]
        calls.insert(1, {"slot_id": "slot_99", "tool": "bash", "args": {}})
        results = json.loads(self.post("/batch", calls))
        if len(results) != 4 or results[1]["success"]:
            self.wrong.append(("batch", nonce, results))
        for i, result in zip(range(3), [results[0], *results[2:]]):
            self.expect(result, f"{nonce}-{i}", "batch")

    def stream(self, nonce):
        lines = [json.loads(line) for line in self.post("/execute?stream=1", self.call("bash", {"command": f"echo {nonce}"})).splitlines()]
        told = "".join(line["text"] for line in lines if line["type"] == "output")
        if told != nonce + "\n" or [line["type"] for line in lines][-2:] != ["result", "end"]:
            self.wrong.append(("stream", nonce, lines))

    def again(self, nonce):
        body = self.call("bash", {"command": f"echo {nonce} >> again{self.number}; wc -l < again{self.number}"}, execution_id=f"a-{nonce}")
        first, second = (json.loads(self.post("/execute", body)) for _ in range(2))
        if first["output"] != second["output"] or second["metadata"].get("replayed") is not True:
            self.wrong.append(("again", first, second))

    def session(self, nonce):
        """The shell of a shared slot: others' commands come between two calls, never into one."""
        result = json.loads(self.post("/execute", self.call("bash_stateful", {"command": f"S={nonce}; echo $S"})))
        self.expect(result, f"{nonce}\n", "session")

    def terminal(self, nonce):
        result = json.loads(self.post("/execute", self.call("tmux", {"action": "capture"})))
        if result["success"] is not True:
            self.wrong.append(("terminal", nonce, result))

    def artifacts(self, nonce):
        name = f"a{self.number}"
        self.expect(json.loads(self.post("/execute", self.call("exec", {"argv": ["/bin/sh", "-c", f"printf {nonce} > {name}"]}))), "", "write")
        ask = {"slot_id": self.slot, "path": name}
        read = json.loads(self.post("/artifacts/read", ask))
        listed = json.loads(self.post("/artifacts/list", {**ask, "path": "."}))
        packed = json.loads(self.post("/artifacts/archive", ask))
        if read["content"] != nonce or name not in [entry["path"] for entry in listed["entries"]] or packed["entry_count"] != 1:
            self.wrong.append(("artifacts", nonce, read, listed, packed))

    def reset(self, nonce):
        self.expect(json.loads(self.post("/reset", {"slot_id": self.slot})), f"Reset workspace for {self.slot}", "reset")

    # What others do. None of it is answered right, and most is not answered at all.

    def send_raw(self, data, read=True):
        with contextlib.suppress(OSError), self.wire.socket(30) as plain:
            plain.sendall(data)
            if read:
                plain.recv(65536)

    def raw_call(self, path, body):
        text = json.dumps(body).encode()
        return b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(text), text)

    def cut_call(self):
        self.send_raw(self.raw_call("/execute", self.call("bash", {"command": "echo cut"})), read=False)

    def cut_batch(self):
        self.send_raw(self.raw_call("/batch", [self.call("bash", {"command": "echo cut"})] * 5), read=False)

    def cut_stream(self):
        self.send_raw(self.raw_call("/execute?stream=1", self.call("bash", {"command": "seq 20000"})))

    def cut_body(self):
        self.send_raw(self.raw_call("/execute", self.call("bash", {"command": "echo cut"}))[:-5], read=False)

    def cut_sleeper(self):
        # In a slot of its own: the call holds its slot until the grace is over.
        if self.random.random() < 0.1:
            self.send_raw(self.raw_call("/execute", {**self.call("bash", {"command": "sleep 1000"}), "slot_id": HOSTILE}), read=False)

    def cut_session(self):
        self.send_raw(self.raw_call("/execute", {**self.call("bash_stateful", {"command": "seq 20000"}), "slot_id": HOSTILE}), read=False)

    def cut_archive(self):
        self.send_raw(self.raw_call("/artifacts/archive", {"slot_id": HOSTILE}), read=False)

    def garbage(self):
        self.send_raw(self.random.randbytes(self.random.randrange(1, 3000)) + b"\r\n\r\n")

    def smuggle(self):
        self.send_raw(b"POST /execute HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                      + self.raw_call("/reset", {"slot_id": self.slot}))

    def large_head(self):
        self.send_raw(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 20_000 + b"\r\n\r\n")

    def bad_json(self):
        self.send_raw(b"POST /batch HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60_000)

    def bad_call(self):
        self.send_raw(self.raw_call("/execute", self.call("bash", {"command": 5, "allow_network": "false"}, timeout="soon")))

    def flood(self):
        self.send_raw(self.raw_call("/execute", {**self.call("bash", {"command": "yes | head -c 3000000"}), "slot_id": HOSTILE}))


# A tool or route that comes later takes part by a method of its own in one of these lists.
GOOD = [Caller.bash, Caller.exec, Caller.files, Caller.batch, Caller.stream, Caller.again, Caller.session,
        Caller.terminal, Caller.artifacts]
HOSTILITIES = [Caller.cut_call, Caller.cut_batch, Caller.cut_stream, Caller.cut_body, Caller.cut_sleeper, Caller.cut_session,
               Caller.cut_archive, Caller.garbage, Caller.smuggle, Caller.large_head, Caller.bad_json, Caller.bad_call, Caller.flood]


def facts(server):
    """(memory, descriptors, processes) of a server whose slots are all fresh."""
    for i in range(SHARED + 2):
        Slot(server, f"slot_{i}").reset()
    return server.rss_bytes(), len(os.listdir(f"/proc/{server.process.pid}/fd")), len(descendants(server.process.pid))


@pytest.fixture
def server(new_slotd):
    slotd = new_slotd(user=os.geteuid(), slots=SHARED + 2).connect()
    yield slotd
    slotd.stop()


def test_a_crowd_of_good_and_bad_callers_leaves_the_server_as_it_was(server):
    first = Caller(server.wire, 0)
    for kind in GOOD:
        kind(first, "warm")
    first.kept.close()
    memory, descriptors, children = facts(server)

    begin = time.monotonic()
    callers = [Caller(server.wire, number) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    took = time.monotonic() - begin
    made = sum((caller.count for caller in callers), collections.Counter())
    wrong = [each for caller in callers for each in caller.wrong]
    assert not wrong, (len(wrong), wrong[:3])
    assert made.total() == CALLERS * CALLS and made["hostile"] > CALLERS * CALLS * 0.15

    wait_until(lambda: server.wire.health()["executing"] == 0, SETTLE, "every call ended")
    wait_until(lambda: facts(server)[1:] == (descriptors, children), SETTLE, f"back to {descriptors} descriptors and {children} processes")
    wait_until(lambda: server.rss_bytes() <= memory + allowed(MARGIN), SETTLE, f"back at {memory} bytes and {MARGIN} more")
    assert Slot(server, "slot_0").output("echo fine") == "fine"
    print(f"{made.total()} calls in {took:.1f} s {dict(made)}; memory {memory >> 10} -> {server.rss_bytes() >> 10} KiB")
