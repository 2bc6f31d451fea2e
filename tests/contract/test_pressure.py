# SPDX-License-Identifier: Apache-2.0
"""Full queues and bounded memory (wire.md 1.11, 1.12, 1.19): nobody starves, nothing grows without bound."""
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from harness import Slot, allowed, patient, wait_until
from wire import statuses

SLOT_QUEUE = 1024
SERVER_QUEUE = 4096


@pytest.fixture
def one_slot(start):
    return Slot(start(slots=1), "slot_0")


def call(name, command, **fields):
    return {"slot_id": name, "tool": "bash", "args": {"command": command}, "timeout": 600, **fields}


@contextlib.contextmanager
def blocked(*slots):
    """Each slot is busy for as long as the block lasts."""
    ids = [f"blocker-{slot.name}" for slot in slots]
    connections = []
    for slot, name in zip(slots, ids):
        connections.append(slot.wire.connection())
        connections[-1].request("POST", "/execute", json.dumps(call(slot.name, "sleep 1000", execution_id=name)))
    wait_until(lambda: slots[0].wire.health()["executing"] == len(slots), 30, "the slots are busy")
    yield
    for slot, name in zip(slots, ids):
        slot.wire.request("DELETE", f"/slots/{slot.name}/executions/{name}")
    for connection in connections:
        connection.close()


def queued(wire):
    return sum(slot["queued"] for slot in wire.get("/slots").json()["slots"])


def refused(wire):
    """Calls refused for want of room since the start, as the server counts them."""
    found = re.search(r'^berth_slotd_calls_refused_total\{code="queue_full"\} (\d+)', wire.get("/metrics").body.decode(), re.M)
    return int(found[1]) if found else 0


def fill(wire, name, count):
    """Leaves `count` calls waiting; the connection that asked for them."""
    before = queued(wire)
    connection = wire.connection()
    connection.request("POST", "/batch", json.dumps([{**call(name, "true"), "tool": "read_file", "args": {"path": "x"}}] * count))
    wait_until(lambda: queued(wire) == before + count, 60, "the queue has them")
    return connection


def test_a_slots_queue_is_bounded_and_the_refusal_says_when_to_come_back(start):
    server = start(slots=2)
    slot, other = Slot(server, "slot_0"), Slot(server, "slot_1")
    with blocked(slot):
        first = fill(slot.wire, slot.name, 1000)
        second = fill(slot.wire, slot.name, SLOT_QUEUE - 1000)
        reply = slot.wire.execute(slot.name, "bash", {"command": "touch ran"}, execution_id="late")
        assert reply.status == 429 and int(reply.headers["retry-after"]) >= 1
        result = reply.json()
        assert result["error"].startswith("queue_full") and result["metadata"]["cause"] == "rejected"
        assert result["execution_id"] == "late" and result["metadata"]["started"] is False
        batch = slot.wire.batch([call(slot.name, "touch ran"), call(other.name, "echo room")])
        assert batch.status == 200
        assert [element["success"] for element in batch.json()] == [False, True], "a full slot takes nothing from another"
        assert batch.json()[0]["metadata"]["cause"] == "rejected"
    for connection in [first, second]:
        assert len(json.loads(connection.getresponse().read())) in (1000, SLOT_QUEUE - 1000)
        connection.close()
    assert slot.output("ls") == "", "what was refused never ran"


def test_the_servers_queue_is_bounded(start):
    server = start(slots=5)
    slots = [Slot(server, f"slot_{i}") for i in range(5)]
    with blocked(*slots):
        waiting = [fill(server.wire, slot.name, 1000) for slot in slots[:4]]
        waiting.append(fill(server.wire, slots[4].name, SERVER_QUEUE - 4000))
        reply = server.wire.execute(slots[4].name, "bash", {"command": "true"})
        assert reply.status == 429 and reply.headers["retry-after"] and "queue_full" in reply.json()["error"]
        assert server.wire.health()["status"] == "ok"
    for connection in waiting:
        assert all(element["metadata"]["cause"] == "rejected" or "not found" in element["error"]
                   for element in json.loads(connection.getresponse().read()))
        connection.close()
    assert slots[4].output("echo again") == "again"


def test_calls_that_wait_hold_bounded_memory(one_slot):
    """Batches of 60 MB behind a busy slot: two fit, of the third a few calls, and all of the memory comes back."""
    slot = one_slot
    idle = slot.server.rss_bytes()
    element = {**call(slot.name, "true"), "tool": "read_file", "args": {"path": "x", "pad": "x" * 200_000}}
    body = json.dumps([element] * 300).encode()
    waiting = []
    with blocked(slot):
        for told in [300, 600, 900]:
            waiting.append(slot.wire.connection())
            waiting[-1].request("POST", "/batch", body)
            wait_until(lambda: queued(slot.wire) + refused(slot.wire) == told, patient(60), "the batch was read")
        assert slot.server.rss_bytes() - idle < allowed(300 << 20)
    codes = []
    for connection in waiting:
        codes += [element["metadata"].get("code") for element in json.loads(connection.getresponse().read())]
        connection.close()
    assert len(codes) == 900 and 200 <= codes.count("queue_full") <= 260
    wait_until(lambda: slot.server.rss_bytes() - idle < allowed(100 << 20), 30, "the memory comes back")


def test_slow_readers_of_a_stream_hold_no_memory(one_slot):
    """Twenty streams of one gigabyte of output that nobody reads: what is kept is what a command's output may keep."""
    slot = one_slot
    slot.output("true")
    idle = slot.server.rss_bytes()
    command = "head -c 100000000 /dev/zero | tr '\\0' x"
    plains = []
    for i in range(20):
        body = json.dumps(call(slot.name, command, execution_id=f"s{i}")).encode()
        plains.append(slot.wire.socket())
        plains[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plains[-1].sendall(b"POST /execute?stream=1 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    wait_until(lambda: slot.wire.get("/slots/slot_0/executions/s19").json()["state"] == "finished", 120, "all ran")
    assert slot.server.rss_bytes() - idle < allowed(40 << 20)
    for plain in plains:
        plain.close()


def test_slow_readers_of_large_arrays_hold_a_part_of_them(one_slot):
    """The same 100 kB result a thousand times, to twenty callers that read nothing: 2 GB were it held."""
    slot = one_slot
    body = call(slot.name, "head -c 49000 /dev/zero | tr '\\0' x; head -c 49000 /dev/zero | tr '\\0' x >&2", execution_id="big")
    assert slot.wire.post("/execute", body).json()["success"]
    idle = slot.server.rss_bytes()
    text = json.dumps([body] * 1000).encode()
    plains = []
    for _ in range(20):
        plains.append(slot.wire.socket())
        plains[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plains[-1].sendall(b"POST /batch HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    answer = slot.wire.post("/batch", text)
    assert len(answer.json()) == 1000 and len(answer.body) > 90_000_000
    assert slot.server.rss_bytes() - idle < allowed(60 << 20)
    for plain in plains:
        plain.close()


def test_large_bodies_at_once_are_refused_before_they_fill_the_memory(one_slot):
    """Eight callers send 60 MB each and stop before the end: the first ones fit, the others are told to come back."""
    slot = one_slot
    idle = slot.server.rss_bytes()
    plains, refused = [], []

    def upload():
        plain = slot.wire.socket(20)
        plains.append(plain)
        with contextlib.suppress(OSError):
            plain.sendall(b"POST /batch HTTP/1.1\r\nHost: h\r\nContent-Length: 60000001\r\n\r\n[")
            plain.sendall(b" " * 59_999_990)
        with contextlib.suppress(OSError):
            plain.settimeout(5)
            refused.append(statuses(plain.recv(4096)) == [429])

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(refused)
    assert slot.server.rss_bytes() - idle < allowed(400 << 20)
    assert slot.output("echo small ones pass") == "small ones pass"
    for plain in plains:
        plain.close()
    wait_until(lambda: slot.wire.batch(b" " * (40 << 20) + b"[]").status == 200, 30, "large ones pass again")


def test_idle_connections_keep_nobody_out(launch):
    """More silent connections than the server may have: it lets the oldest go and serves who asks."""
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 12_000:
        pytest.skip(f"this user may open {hard} files only")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (12_000, hard))
    server = launch(slots=1).connect()
    crowd = []
    try:
        for _ in range(5000):
            crowd.append(server.wire.socket())
        for _ in range(20):
            begin = time.monotonic()
            assert Slot(server, "slot_0").output("echo x") == "x"
            assert time.monotonic() - begin < 3 * 5
    finally:
        for plain in crowd:
            plain.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        server.stop()


def test_few_descriptors_are_shared_between_connections_and_calls(user, launch):
    """With 200 descriptors in all, a crowd of connections leaves calls the pipes they need, and accept does not spin."""
    server = launch(slots=1).connect()
    try:
        pid = server.process.pid
        most = len(os.listdir(f"/proc/{pid}/fd")) + 40
        # By its own user: another's limits are not for every root to change.
        subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={most}:200"], check=True, user=user, group=user,
                       extra_groups=[])
        slot = Slot(server, "slot_0")
        kept = server.wire.connection()
        kept.request("GET", "/health")
        kept.getresponse().read()
        crowd = [server.wire.socket() for _ in range(100)]
        wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= most, 30, "none is left")
        spent = cpu_seconds(pid)
        time.sleep(1)  # the subject: what it does while nothing can be accepted
        assert cpu_seconds(pid) - spent < 0.5, "accept spins"
        kept.request("GET", "/health")
        assert kept.getresponse().status == 200, "connections that exist are served"
        for plain in crowd:
            plain.close()
        begin = time.monotonic()
        assert slot.output("echo x") == "x"
        assert time.monotonic() - begin < patient(5)
        kept.close()
    finally:
        server.stop()


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
