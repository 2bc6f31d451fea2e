# SPDX-License-Identifier: Apache-2.0
"""Callers that go before they have their answer (wire.md 1.4): points 49 and 50 of the conformance checklist, in each
way a call can be asked for and in each phase of it."""
import json
import socket
import struct
import threading
import time
import uuid

import pytest

from harness import wait_until

GRACE = 3
ENDED = GRACE * 5     # the promise, at five times its figure
SIGHT = 30            # the longest a state is waited for that must come


def call(slot, command, **fields):
    return {"slot_id": slot.name, "tool": "bash", "args": {"command": command}, "timeout": 100,
            "execution_id": f"d-{uuid.uuid4()}", **fields}


def where(body):
    return f"/slots/{body['slot_id']}/executions/{body['execution_id']}"


def state(slot, body):
    reply = slot.wire.get(where(body))
    return reply.json()["state"] if reply.status == 200 else None


def cause(slot, body):
    result = slot.wire.get(where(body)).json()["result"]
    return result and result["metadata"]["cause"]


def send(slot, body, path="/execute", headers=None):
    connection = slot.wire.connection()
    connection.request("POST", path, json.dumps(body), headers or {})
    return connection


def running(slot, body):
    wait_until(lambda: state(slot, body) == "running", SIGHT, "the call runs")


def ended_after_grace(slot, body, begin, limit=ENDED):
    wait_until(lambda: state(slot, body) == "finished", limit, "the call ended")
    assert time.monotonic() - begin > GRACE * 0.8
    assert cause(slot, body) == "cancelled"


PATHS = ["/execute", "/execute?stream=1", "/batch", "/batch?stream=1", "/batch?stream=1&output=1"]


@pytest.mark.parametrize("path", PATHS)
def test_p50_a_reset_connection_is_a_lost_one(slot, path):
    body = call(slot, "sleep 1000")
    connection = send(slot, [body] if "batch" in path else body, path)
    running(slot, body)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    ended_after_grace(slot, body, time.monotonic())
    assert slot.output("echo free") == "free"


def test_p50_the_middle_of_a_batch(slots):
    """What has ended keeps its result, what runs ends after the grace, what waits never starts."""
    first, second = slots
    done, runs, waits = call(first, "echo done"), call(first, "touch runs; sleep 1000"), call(first, "touch waited")
    other = call(second, "touch runs; sleep 1000")
    connection = send(first, [done, runs, waits, other], "/batch")
    running(first, runs)
    running(second, other)
    connection.close()
    begin = time.monotonic()
    for body in [runs, other]:
        ended_after_grace(first, body, begin)
    wait_until(lambda: state(first, waits) == "finished", SIGHT, "the waiting one ended")
    result = first.wire.get(where(waits)).json()["result"]
    assert result["metadata"]["cause"] == "cancelled" and result["metadata"]["started"] is False
    assert first.wire.get(where(done)).json()["result"]["output"] == "done"
    assert (first.output("ls"), second.output("ls")) == ("runs", "runs")


def test_p50_the_middle_of_a_stream(slots):
    """The results already told count as told; the rest ends after the grace."""
    first, second = slots
    quick, slow = call(first, "echo quick"), call(second, "sleep 1000")
    stream = first.wire.lines("/batch?stream=1", [quick, slow])
    assert next(line for line in stream if line["type"] == "result")["output"] == "quick"
    stream.close()
    ended_after_grace(second, slow, time.monotonic())
    assert first.wire.get(where(quick)).json()["result"]["output"] == "quick"


def test_p49_p50_a_batch_that_comes_back_finds_every_call(slots):
    bodies = [call(slot, f"echo run >> log; sleep 5; echo {slot.name}") for slot in slots]
    connection = send(slots[0], bodies, "/batch")
    for slot, body in zip(slots, bodies):
        running(slot, body)
    connection.close()
    results = slots[0].wire.batch(bodies).json()
    assert [result["output"] for result in results] == [slot.name for slot in slots]
    assert all(result["metadata"]["replayed"] is True for result in results)
    assert [slot.output("cat log") for slot in slots] == ["run", "run"]


def test_p50_each_departure_has_its_own_grace(slot):
    """Back after 2 s and gone again after 2 more: the grace counts from the second departure."""
    body = call(slot, "sleep 1000")
    send_and_leave(slot, body, stay=0)
    time.sleep(2)  # the subject: a caller that comes back within the grace
    send_and_leave(slot, body, stay=2)
    begin = time.monotonic()
    ended_after_grace(slot, body, begin)


def send_and_leave(slot, body, stay, headers=None):
    connection = send(slot, body, headers=headers)
    running(slot, body)
    time.sleep(stay)
    connection.close()


def test_p50_a_departure_without_detach_does_not_undo_one_with(slot):
    body = call(slot, f"sleep {GRACE * 3}; echo survived")
    send_and_leave(slot, body, stay=0)
    send_and_leave(slot, body, stay=0, headers={"Berth-Detach": "100"})
    send_and_leave(slot, body, stay=0)
    wait_until(lambda: state(slot, body) == "finished", SIGHT * 2, "the call ended")
    assert slot.wire.get(where(body)).json()["result"]["output"] == "survived"


def test_detach_ends_after_its_seconds(slot):
    body = call(slot, "sleep 1000")
    send_and_leave(slot, body, stay=0, headers={"Berth-Detach": "6"})
    begin = time.monotonic()
    wait_until(lambda: state(slot, body) == "finished", 6 * 5, "the call ended")
    assert time.monotonic() - begin > 5 and cause(slot, body) == "cancelled"


@pytest.mark.parametrize("seconds", ["0", "0.5", "-1", "nan", "soon", "", "1e", "5 5"])
def test_detach_that_is_no_time_or_a_short_one_ends_within_the_grace(slot, seconds):
    body = call(slot, "sleep 1000")
    send_and_leave(slot, body, stay=0, headers={"Berth-Detach": seconds})
    wait_until(lambda: state(slot, body) == "finished", ENDED, "the call ended")
    assert cause(slot, body) == "cancelled"


@pytest.mark.parametrize("seconds", ["inf", "1e300", "99999999999999999999"])
def test_detach_has_a_bound_but_no_overflow(slot, seconds):
    body = call(slot, f"sleep {GRACE * 2}; echo survived")
    send_and_leave(slot, body, stay=0, headers={"Berth-Detach": seconds})
    wait_until(lambda: state(slot, body) == "finished", SIGHT, "the call ended")
    assert slot.wire.get(where(body)).json()["result"]["output"] == "survived"


def test_detach_covers_a_whole_batch(slots):
    bodies = [call(slot, f"sleep {GRACE * 2}; echo {slot.name}") for slot in slots]
    connection = send(slots[0], bodies, "/batch", {"Berth-Detach": "60"})
    for slot, body in zip(slots, bodies):
        running(slot, body)
    connection.close()
    for slot, body in zip(slots, bodies):
        wait_until(lambda: state(slot, body) == "finished", SIGHT, "the call ended")
        assert slot.wire.get(where(body)).json()["result"]["output"] == slot.name


def test_a_reader_of_output_keeps_the_call_alive_while_it_reads(slot):
    body = call(slot, "sleep 1000")
    connection = send(slot, body)
    running(slot, body)
    reader = threading.Thread(target=slot.wire.get, args=(where(body) + f"/output?wait={GRACE * 2}",))
    reader.start()
    connection.close()
    time.sleep(GRACE * 1.5)  # the subject: longer than the grace, shorter than the read
    assert state(slot, body) == "running"
    reader.join()
    ended_after_grace(slot, body, time.monotonic())


def test_a_reader_that_goes_does_not_end_a_call_whose_caller_is_there(slot):
    body = call(slot, f"sleep {GRACE * 2}; echo survived")
    results = []
    caller = threading.Thread(target=lambda: results.append(slot.wire.post("/execute", body).json()))
    caller.start()
    running(slot, body)
    reader = slot.wire.connection()
    reader.request("GET", where(body) + "/output?wait=30")
    reader.close()
    caller.join()
    assert results[0]["output"] == "survived"


def test_a_background_call_that_was_answered_belongs_to_no_connection(slot):
    body = {**call(slot, ""), "tool": "exec", "args": {"argv": ["sleep", "1000"], "background": True}}
    assert slot.wire.post("/execute", body).json()["success"] is True
    reader = slot.wire.connection()
    reader.request("GET", where(body) + "/output?wait=30")
    reader.close()
    time.sleep(GRACE * 1.5)  # the subject: nothing may happen for longer than the grace
    assert state(slot, body) == "running"
    slot.wire.request("DELETE", where(body))


def test_a_caller_that_goes_in_the_middle_of_its_body_starts_nothing(slot):
    body = json.dumps(call(slot, "touch ran")).encode()
    with slot.wire.socket() as plain:
        plain.sendall(b"POST /execute HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body[:-1]))
    assert slot.output("ls") == ""


def test_a_pipelined_request_behind_a_running_call_is_no_departure(slot):
    body = json.dumps(call(slot, f"sleep {GRACE * 2}; echo survived")).encode()
    first = b"POST /execute HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    second = b"GET /slots HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with slot.wire.socket() as plain:
        plain.sendall(first + second)
        received = b""
        while part := plain.recv(65536):
            received += part
    assert b"survived" in received and received.count(b"HTTP/1.1 200") == 2
