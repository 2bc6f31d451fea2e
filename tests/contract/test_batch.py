# SPDX-License-Identifier: Apache-2.0
"""Order and independence of calls: points 22, 23, 25 and 26 of the conformance checklist."""
import threading
import time

import pytest

from wire import FIVE_KEYS


def call(slot, command, timeout=60, **fields):
    return {"slot_id": slot.name, "tool": "bash", "args": {"command": command}, "timeout": timeout, **fields}


def stamp(name):
    """Notes when it runs, in nanoseconds, on the one clock of the machine."""
    return f"date +%s%N > {name}.begin; sleep 0.3; date +%s%N > {name}.end"


def span(slot, name):
    begin, end = slot.output(f"cat {name}.begin {name}.end").split()
    return int(begin), int(end)


def test_p22_calls_on_one_slot_never_overlap(slot):
    threads = [threading.Thread(target=slot.bash, args=(stamp(f"c{i}"),)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = sorted(span(slot, f"c{i}") for i in range(3))
    assert all(earlier[1] <= later[0] for earlier, later in zip(spans, spans[1:])), spans


def test_p22_calls_on_two_slots_overlap(slots):
    reply = slots[0].wire.batch([call(slot, stamp("x").replace("0.3", "2")) for slot in slots])
    assert all(result["success"] for result in reply.json())
    (a_begin, a_end), (b_begin, b_end) = (span(slot, "x") for slot in slots)
    assert a_begin < b_end and b_begin < a_end


def test_p22_two_sleeps_in_one_batch_take_the_time_of_one(slots):
    begin = time.monotonic()
    assert all(result["success"] for result in slots[0].wire.batch([call(slot, "sleep 1") for slot in slots]).json())
    took = time.monotonic() - begin
    assert took < 1.8 or took < 1 + 5 * 0.8, took


def test_p22_a_slow_call_delays_nobody_else(slots):
    slow, quick = slots
    blocked = threading.Thread(target=slow.bash, args=("sleep 30",), kwargs={"timeout": 30})
    blocked.start()
    begin = time.monotonic()
    for _ in range(10):
        quick.output("true")
    assert time.monotonic() - begin < 15 and blocked.is_alive()
    slow.wire.reset(slow.name)
    blocked.join()


def test_p23_results_come_in_the_order_of_the_elements(slots):
    first, second = slots
    elements = [call(first, "sleep 0.5; echo 0"), call(second, "echo 1"), call(first, "echo 2"), call(second, "echo 3")]
    results = slots[0].wire.batch(elements).json()
    assert [result["output"] for result in results] == ["0", "1", "2", "3"]
    assert all(set(result) == FIVE_KEYS for result in results)


def test_p23_elements_of_one_slot_run_in_array_order(slot):
    results = slot.wire.batch([call(slot, f"echo {i} >> log") for i in range(30)]).json()
    assert all(result["success"] for result in results)
    assert slot.output("cat log").split() == [str(i) for i in range(30)]


def test_p23_arrival_order_holds_across_connections(slot):
    blocker = threading.Thread(target=slot.bash, args=("sleep 2",))
    blocker.start()
    time.sleep(0.3)
    threads = []
    for i in range(8):
        threads.append(threading.Thread(target=slot.bash, args=(f"echo {i} >> log",)))
        threads[-1].start()
        time.sleep(0.05)  # arrival is what is under test: each request is on its way before the next begins
    for thread in [blocker, *threads]:
        thread.join()
    assert slot.output("cat log").split() == [str(i) for i in range(8)]


def test_p23_repeated_ids_do_not_confuse_positions(slot):
    elements = [call(slot, "echo a", execution_id=7), call(slot, "echo b", execution_id=7), call(slot, "echo c")]
    results = slot.wire.batch(elements).json()
    assert [(r["output"], r["execution_id"]) for r in results] == [("a", 7), ("b", 7), ("c", None)]


MALFORMED = [7, None, "x", [], True, {"slot_id": "slot_0"}, {"args": 5, "slot_id": "slot_0", "tool": "bash"},
             {"slot_id": ["x"], "tool": "bash"}, {"slot_id": "slot_0", "tool": "bash", "timeout": "x"},
             {"slot_id": "slot_0", "tool": "bash", "execution_id": "not an id"}, {"slot_id": "slot_99", "tool": "bash"}]


@pytest.mark.parametrize("bad", MALFORMED, ids=repr)
def test_p25_one_malformed_element_fails_alone(slot, bad):
    reply = slot.wire.batch([call(slot, "echo before"), bad, call(slot, "echo after")])
    assert reply.status == 200
    before, middle, after = reply.json()
    assert (before["output"], after["output"]) == ("before", "after")
    assert middle["success"] is False and middle["error"]


def test_p25_an_element_with_broken_json_inside_fails_alone(slot):
    import json
    text = b"[" + json.dumps(call(slot, "echo before")).encode() + b', {"slot_id" "x"}, {"a":1,"a":2}, ' + b"[" * 500 + \
        b"]" * 500 + b", " + json.dumps(call(slot, "echo after")).encode() + b"]"
    reply = slot.wire.batch(text)
    assert reply.status == 200
    results = reply.json()
    assert [result["success"] for result in results] == [True, False, False, False, True]


def test_p26_two_hundred_large_writes_are_accepted(slots):
    text = "\U0001f600" * 25_000  # 100 kB of UTF-8, 300 kB in escaped JSON
    elements = [{"slot_id": slots[i % 2].name, "tool": "write_file", "args": {"path": f"f{i}", "content": text}}
                for i in range(200)]
    results = slots[0].wire.batch(elements).json()
    assert len(results) == 200 and all(result["success"] for result in results)
    assert slots[0].output("ls | wc -l; wc -c < f0").split() == ["100", "100000"]


def test_p26_more_elements_than_a_batch_may_have_are_413_and_nothing_runs(slot):
    reply = slot.wire.batch([call(slot, "touch ran")] * 1001)
    assert reply.status == 413 and reply.json()["success"] is False
    assert slot.output("ls") == ""


def test_p26_a_thousand_elements_are_accepted(slots):
    elements = [{"slot_id": slots[i % 2].name, "tool": "read_file", "args": {"path": "missing"}} for i in range(1000)]
    assert len(slots[0].wire.batch(elements).json()) == 1000


def test_p26_an_element_over_2_mib_fails_alone(slot):
    reply = slot.wire.batch([call(slot, "echo before"), call(slot, "x" * (2 << 20)), call(slot, "echo after")])
    assert [result["success"] for result in reply.json()] == [True, False, True]


def test_p26_a_body_over_64_mib_is_413_before_it_is_read(slot):
    head = b"POST /batch HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n[" % (65 << 20)
    received, _ = slot.wire.raw(head)
    assert received.startswith(b"HTTP/1.1 413 ")


def test_an_execute_over_2_mib_is_413(slot):
    reply = slot.wire.execute(slot.name, "bash", {"command": "x" * (3 << 20)})
    assert reply.status == 413 and reply.json()["success"] is False
