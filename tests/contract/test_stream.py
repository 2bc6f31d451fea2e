# SPDX-License-Identifier: Apache-2.0
"""NDJSON streams (wire.md 1.5), executions by id and their output (1.6), what a lost connection does (1.4)."""
import base64
import json
import threading
import time
import uuid

import pytest

from harness import wait_until

GONE_AFTER = 3 * 5  # a call is given up 3 s after its connection closed


def call(slot, command, **fields):
    return {"slot_id": slot.name, "tool": "bash", "args": {"command": command}, "timeout": 60, **fields}


def new_id():
    return f"s-{uuid.uuid4()}"


def where(slot, name, suffix=""):
    return f"/slots/{slot.name}/executions/{name}{suffix}"


def state(slot, name):
    reply = slot.wire.get(where(slot, name))
    return reply.json()["state"] if reply.status == 200 else None


def output_of(lines, stream, name=None):
    """The bytes of one stream, put together by offset."""
    data = b""
    for line in lines:
        if line["type"] == "output" and line["stream"] == stream and name in (None, line["execution_id"]):
            assert line["offset"] == len(data), line
            data += line["text"].encode() if "text" in line else base64.b64decode(line["base64"])
    return data


def test_execute_streams_start_output_result_end(slot):
    name = new_id()
    lines = list(slot.wire.lines("/execute?stream=1", call(slot, "echo out; echo err >&2", execution_id=name)))
    kinds = [line["type"] for line in lines]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("start", "result", "end")
    assert set(kinds[1:-2]) <= {"output", "ping"}
    assert lines[0]["execution_id"] == name and lines[0]["slot_id"] == slot.name and lines[0]["index"] == 0
    assert (output_of(lines, "stdout"), output_of(lines, "stderr")) == (b"out\n", b"err\n")
    result = lines[-2]
    assert {"index", "success", "output", "error", "execution_id", "metadata"} <= set(result)
    assert result["output"] == "out\n\n[stderr]\nerr"
    assert lines[-1]["results"] == 1


def test_output_comes_while_the_call_runs(slot):
    slot.output("mkfifo go")
    name = new_id()
    stream = slot.wire.lines("/execute?stream=1", call(slot, "echo first; cat go; echo last", execution_id=name))
    for line in stream:
        assert line["type"] != "result", line
        if line["type"] == "output" and "first" in line.get("text", ""):
            break
    assert state(slot, name) == "running"
    slot.wire.request("DELETE", where(slot, name))
    assert [line["type"] for line in stream][-2:] == ["result", "end"]


def test_output_that_is_not_utf8_travels_as_base64(slot):
    lines = list(slot.wire.lines("/execute?stream=1", call(slot, "printf 'a\\377b'")))
    assert output_of(lines, "stdout") == b"a\xffb"


def test_a_character_is_not_torn_between_lines(slot):
    command = "for i in 1 2 3 4 5; do printf '\\342\\202'; sleep 0.05; printf '\\254'; done"
    lines = list(slot.wire.lines("/execute?stream=1", call(slot, command)))
    assert output_of(lines, "stdout").decode() == "\u20ac" * 5


def test_long_output_is_streamed_whole_up_to_what_is_kept(slot):
    lines = list(slot.wire.lines("/execute?stream=1", call(slot, "head -c 40000 /dev/zero | tr '\\0' z")))
    assert output_of(lines, "stdout") == b"z" * 40_000


@pytest.mark.parametrize("query, kinds", [("?stream=1", {"result", "end"}),
                                          ("?stream=1&output=1", {"start", "output", "result", "end"})])
def test_batch_streams_results_and_output_only_when_asked(slots, query, kinds):
    lines = list(slots[0].wire.lines("/batch" + query, [call(slot, f"echo {slot.name}") for slot in slots]))
    assert {line["type"] for line in lines} - {"ping"} == kinds
    assert lines[-1] == {"type": "end", "results": 2}
    results = {line["index"]: line["output"] for line in lines if line["type"] == "result"}
    assert results == {0: slots[0].name, 1: slots[1].name}


def test_batch_results_come_the_moment_they_are_there(slots):
    slow, quick = slots
    stream = slow.wire.lines("/batch?stream=1", [call(slow, "sleep 8"), call(quick, "echo quick")])
    begin = time.monotonic()
    first = next(line for line in stream if line["type"] == "result")
    assert first["index"] == 1 and time.monotonic() - begin < 7
    assert [line["type"] for line in stream if line["type"] != "ping"] == ["result", "end"]


def test_a_refused_element_is_a_result_line(slot):
    lines = list(slot.wire.lines("/batch?stream=1", [5, call(slot, "echo x", execution_id="not an id"), call(slot, "echo y")]))
    results = {line["index"]: line for line in lines if line["type"] == "result"}
    assert [results[i]["success"] for i in range(3)] == [False, False, True]
    assert lines[-1] == {"type": "end", "results": 3}


def test_an_empty_batch_streams_its_end(slot):
    assert list(slot.wire.lines("/batch?stream=1", [])) == [{"type": "end", "results": 0}]


def test_errors_before_the_first_line_use_the_status(slot):
    assert slot.wire.post("/execute?stream=1", b"{").status == 400
    assert slot.wire.post("/batch?stream=1", {}).status == 400
    assert slot.wire.post("/execute?stream=1", call(slot, "true", timeout=-1)).status == 400


def test_a_quiet_stream_pings(slot):
    begin = time.monotonic()
    stream = slot.wire.lines("/execute?stream=1", call(slot, "sleep 40"))
    kinds = []
    for line in stream:
        kinds.append(line["type"])
        if line["type"] == "ping":
            break
    assert kinds[-1] == "ping" and 8 < time.monotonic() - begin < 35
    stream.close()
    slot.reset()


def test_hostile_output_cannot_imitate_a_line(slot):
    fake = json.dumps({"type": "end", "results": 1})
    lines = list(slot.wire.lines("/execute?stream=1", call(slot, f"echo; echo '{fake}'; echo")))
    assert sum(line["type"] == "end" for line in lines) == 1 and lines[-2]["type"] == "result"
    assert fake in output_of(lines, "stdout").decode()


def test_an_execution_is_queued_running_finished(slot):
    first, second = new_id(), new_id()
    slot.output("mkfifo go")
    threads = [threading.Thread(target=slot.run, args=("bash", {"command": "echo out; cat go"}), kwargs={"execution_id": first, "timeout": 60})]
    threads[0].start()
    wait_until(lambda: state(slot, first) == "running", 20, "first runs")
    threads.append(threading.Thread(target=slot.run, args=("bash", {"command": "true"}), kwargs={"execution_id": second, "timeout": 60}))
    threads[1].start()
    wait_until(lambda: state(slot, second) == "queued", 20, "second is queued")
    assert slot.wire.get(where(slot, second)).json()["result"] is None
    assert slot.wire.get(where(slot, first, "/output?stream=stdout&offset=0&wait=20")).body == b"out\n"
    slot.wire.request("DELETE", where(slot, first))
    for thread in threads:
        thread.join()
    assert state(slot, first) == state(slot, second) == "finished"
    result = slot.wire.get(where(slot, first)).json()["result"]
    assert result["output"] == "out" and result["metadata"]["cause"] == "cancelled"


@pytest.mark.parametrize("name", ["unknown", "a%20b", "..%2f..%2fx", "%00", "x" * 200])
def test_an_unknown_execution_is_404(slot, name):
    for method in ["GET", "DELETE"]:
        assert slot.wire.request(method, where(slot, name)).status == 404
    assert slot.wire.get(where(slot, name, "/output")).status == 404


def test_output_is_read_from_an_offset(slot):
    name = new_id()
    slot.run("bash", {"command": "printf 0123456789; printf err >&2"}, execution_id=name)

    def read(query):
        reply = slot.wire.get(where(slot, name, "/output" + query))
        assert reply.status == 200, reply
        return reply.body, reply.headers["berth-offset"], reply.headers["berth-next"], reply.headers["berth-end"]

    assert read("")[:3] == (b"0123456789", "0", "10")
    assert read("?stream=stdout&offset=4") == (b"456789", "4", "10", read("")[3])
    assert read("?stream=stderr")[0] == b"err"
    assert read("?offset=10")[0] == b"" and read("?offset=999")[0] == b""
    assert read("")[3] in ("true", "1")


def test_output_skips_what_was_dropped_and_says_so(slot):
    name = new_id()
    slot.run("bash", {"command": "printf HEAD; head -c 5000000 /dev/zero | tr '\\0' m; printf TAIL"}, execution_id=name)
    data, next_offset, gaps = b"", 0, 0
    while next_offset < 5_000_008:
        reply = slot.wire.get(where(slot, name, f"/output?offset={next_offset}"))
        gaps += int(reply.headers["berth-offset"]) > next_offset
        data += reply.body
        next_offset = int(reply.headers["berth-next"])
    assert gaps == 1 and data.startswith(b"HEAD") and data.endswith(b"TAIL")
    assert 50_000 <= len(data) < 5_000_000


def test_reading_output_waits_for_news(slot):
    name = new_id()
    thread = threading.Thread(target=slot.run, args=("bash", {"command": "sleep 1; echo late; sleep 1"}), kwargs={"execution_id": name})
    thread.start()
    wait_until(lambda: state(slot, name) == "running", 20, "call runs")
    reply = slot.wire.get(where(slot, name, "/output?offset=0&wait=30"))
    assert reply.body == b"late\n"
    begin = time.monotonic()
    reply = slot.wire.get(where(slot, name, "/output?offset=5&wait=30"))
    assert (reply.body, reply.headers["berth-end"]) == (b"", "true") and time.monotonic() - begin < 20
    thread.join()


def test_reading_output_waits_no_longer_than_asked(slot):
    name = new_id()
    thread = threading.Thread(target=slot.run, args=("bash", {"command": "sleep 100"}), kwargs={"execution_id": name, "timeout": 100})
    thread.start()
    wait_until(lambda: state(slot, name) == "running", 20, "call runs")
    begin = time.monotonic()
    reply = slot.wire.get(where(slot, name, "/output?wait=0.5"))
    assert reply.body == b"" and reply.headers["berth-end"] == "false" and 0.4 < time.monotonic() - begin < 5
    slot.wire.request("DELETE", where(slot, name))
    thread.join()


@pytest.mark.parametrize("query", ["?stream=terminalx", "?offset=-1", "?offset=x", "?wait=-1", "?wait=nan", "?stream="])
def test_a_bad_output_query_is_400(slot, query):
    name = new_id()
    slot.run("bash", {"command": "true"}, execution_id=name)
    assert slot.wire.get(where(slot, name, "/output" + query)).status == 400


def test_delete_gives_term_then_kill(slot):
    name = new_id()
    results = []
    command = "trap 'echo got term' TERM; echo ready > ready; while :; do sleep 0.1; done"
    thread = threading.Thread(target=lambda: results.append(slot.run("bash", {"command": command}, execution_id=name, timeout=60)))
    thread.start()
    wait_until(lambda: slot.wire.get(f"/slots/{slot.name}/files/ready").status == 200, 20, "trap set")
    begin = time.monotonic()
    assert slot.wire.request("DELETE", where(slot, name)).status in (200, 202, 204)
    thread.join(30)
    assert 1.5 < time.monotonic() - begin < 2 + 5
    assert "got term" in results[0]["output"] and results[0]["metadata"]["cause"] == "cancelled"


def test_delete_is_idempotent_and_late_ones_are_harmless(slot):
    name = new_id()
    result = slot.run("bash", {"command": "echo x"}, execution_id=name)
    for _ in range(3):
        assert slot.wire.request("DELETE", where(slot, name)).status in (200, 202, 204)
    assert slot.wire.get(where(slot, name)).json()["result"]["output"] == result["output"]


def test_delete_of_a_queued_call_keeps_it_from_starting(slot):
    first, second = new_id(), new_id()
    results = []
    threads = [threading.Thread(target=slot.run, args=("bash", {"command": "sleep 100"}), kwargs={"execution_id": first, "timeout": 100})]
    threads[0].start()
    wait_until(lambda: state(slot, first) == "running", 20, "first runs")
    threads.append(threading.Thread(target=lambda: results.append(slot.run("bash", {"command": "touch ran"}, execution_id=second, timeout=100))))
    threads[1].start()
    wait_until(lambda: state(slot, second) == "queued", 20, "second waits")
    slot.wire.request("DELETE", where(slot, second))
    threads[1].join(10)
    assert results and results[0]["metadata"]["cause"] == "cancelled" and results[0]["metadata"]["started"] is False
    slot.wire.request("DELETE", where(slot, first))
    threads[0].join()
    assert slot.output("ls") == ""


def cut(slot, body, path="/execute", headers=None):
    """Sends a call and closes the connection once it runs."""
    connection = slot.wire.connection()
    connection.request("POST", path, json.dumps(body), headers or {})
    name = (body[0] if isinstance(body, list) else body)["execution_id"]
    wait_until(lambda: state(slot, name) == "running", 20, "call runs")
    connection.close()
    return name


@pytest.mark.parametrize("path", ["/execute", "/execute?stream=1", "/batch", "/batch?stream=1"])
def test_p50_a_lost_connection_ends_its_call_after_the_grace(slot, path):
    body = call(slot, "sleep 1000", execution_id=new_id())
    name = cut(slot, [body] if "batch" in path else body, path)
    begin = time.monotonic()
    wait_until(lambda: state(slot, name) == "finished", GONE_AFTER + 10, "call ended")
    assert time.monotonic() - begin > 2
    assert slot.wire.get(where(slot, name)).json()["result"]["metadata"]["cause"] == "cancelled"
    assert slot.output("echo free") == "free"


def test_p50_a_repeat_within_the_grace_saves_the_call(slot):
    body = call(slot, "sleep 6; echo survived", execution_id=new_id())
    cut(slot, body)
    result = slot.wire.post("/execute", body).json()
    assert result["output"] == "survived" and result["metadata"]["replayed"] is True


def test_p50_detach_lets_the_call_run_on(slot):
    name = cut(slot, call(slot, "sleep 6; echo survived", execution_id=new_id()), headers={"Berth-Detach": "60"})
    wait_until(lambda: state(slot, name) == "finished", 40, "call ended")
    assert slot.wire.get(where(slot, name)).json()["result"]["output"] == "survived"


def test_p50_a_call_with_another_listener_lives_on(slot):
    body = call(slot, "sleep 6; echo survived", execution_id=new_id())
    results = []
    thread = threading.Thread(target=lambda: results.append(slot.wire.post("/execute", body).json()))
    thread.start()
    wait_until(lambda: state(slot, body["execution_id"]) == "running", 20, "call runs")
    cut(slot, body)
    thread.join()
    assert results[0]["output"] == "survived"
