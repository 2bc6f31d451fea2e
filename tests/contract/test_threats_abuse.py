# SPDX-License-Identifier: Apache-2.0
"""Rows 34, 35, 36, 39 and 48 of facts/threats.md: abuse by what is sent, through every entry of the server."""
import base64
import fcntl
import os
import pathlib
import struct
import termios
import time

import pytest

from harness import Slot, allowed, is_sanitized, wait_until
from test_strict_http import AMBIGUOUS, BROKEN_CHUNKS, SMUGGLED, TE, post
from wire import statuses

PROMPT = 0.05 * 5            # a hostile message is refused within 50 ms
FEW_BYTES = 16 << 20         # and takes no more memory than this
SIOCOUTQ = termios.TIOCOUTQ  # what the peer has not received yet
HOSTILE = "x\n2026-01-01T00:00:00.000Z error forged record=1\r\n\x1b[2J\x1b]0;title\x07\u202e\u2028"


def call(slot, command, **fields):
    return {"slot_id": slot.name, "tool": "bash", "args": {"command": command}, **fields}


# Row 34

def test_row34_ten_thousand_elements_are_413_and_none_runs(slot):
    reply = slot.wire.batch([call(slot, "touch ran")] * 10_000)
    assert reply.status == 413 and reply.json()["success"] is False
    assert slot.output("ls") == ""


def test_row34_two_hundred_arguments_of_a_megabyte_are_413_before_they_are_read(slot):
    before = slot.server.rss_bytes()
    head = b"POST /batch HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n[" % (200 * (1 << 20))
    received, _ = slot.wire.raw(head)
    assert statuses(received) == [413] and slot.server.rss_bytes() - before < allowed(FEW_BYTES)


def test_row34_without_a_length_they_are_413_at_the_limit(slot):
    before = slot.server.rss_bytes()
    chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
    with slot.wire.socket(30) as plain:
        received = b""
        try:
            plain.sendall(post(TE, path=b"/batch"))
            for _ in range(200):
                plain.sendall(chunk)
        except ConnectionError:
            pass
        try:
            received = plain.recv(65536)
        except ConnectionError:
            pass  # it was closed while more was on its way
        assert statuses(received) in ([413], [])
    assert slot.server.rss_bytes() - before < allowed((64 << 20) + FEW_BYTES)
    assert slot.output("echo fine") == "fine"


def test_row34_zero_repeated_valid_and_invalid_elements_keep_their_order(slot):
    assert slot.wire.batch([]).json() == []
    one = call(slot, "echo run >> log; echo one", execution_id="one")
    elements = [one, 7, one, call(slot, "echo other", execution_id="one"), {}, call(slot, "echo two"), None, one]
    results = slot.wire.batch(elements).json()
    assert [result["output"] for result in results if result["success"]] == ["one", "one", "two", "one"]
    assert [result["success"] for result in results] == [True, False, True, False, False, True, False, True]
    assert results[3]["metadata"]["code"] == "execution_id_reused"
    assert slot.output("cat log") == "run"


# Row 35

BYTES = {"escape": b"\x1b[2J\x1b[31m", "clipboard": b"\x1b]52;c;ZXZpbA==\x07", "title": b"\x1b]0;owned\x07", "return": b"good\rbad",
         "bidi": "\u202eevil\u2066".encode(), "nul": b"a\0b", "broken": b"a\xff\xfe\xc3b", "c1": "\u0085\u009b1m".encode()}


@pytest.mark.parametrize("name", BYTES)
def test_row35_hostile_output_comes_back_exact_or_flagged(slot, name):
    data = BYTES[name]
    slot.put("data", data)
    result = slot.run("bash", {"command": "cat data; echo end"}, execution_id=f"row35-{name}")
    whole = data + b"end\n"
    if name == "broken":
        assert result["metadata"]["lossy_text"] is True and result["output"] == whole.decode(errors="replace").strip()
    else:
        assert result["output"].encode() == whole.strip() and not result["metadata"].get("lossy_text")
    assert slot.wire.get(f"/slots/{slot.name}/executions/row35-{name}/output").body == whole
    lines = [line for line in slot.wire.lines("/execute?stream=1", call(slot, "cat data; echo end")) if line["type"] == "output"]
    assert b"".join(line["text"].encode() if "text" in line else base64.b64decode(line["base64"]) for line in lines) == whole


# Rows 35 and 36

def test_row36_one_event_is_one_harmless_line_of_the_log(start):
    server = start(slots=1)
    hostile = HOSTILE
    server.wire.execute("slot_0", hostile, {"command": hostile})
    server.wire.execute(hostile, "bash", env={"BERTH_TRAJECTORY": hostile})
    server.wire.run("slot_0", "bash", {"command": "cat"}, env={"BERTH_TRAJECTORY": hostile})
    server.wire.run("slot_0", "read_file", {"path": hostile})
    server.wire.execute("slot_0", "bash", {"command": "true"}, execution_id=hostile)
    server.wire.post("/reset", {"slot_id": hostile})
    server.wire.get("/slots/x%0d%0aforged/files/x%0aforged")
    for value in [b"a\tb", b"\xe2\x80\xae", b"\x1b[2J"]:
        server.wire.raw(b"GET /health HTTP/1.1\r\nHost: h\r\nBerth-Boot: " + value + b"\r\nUser-Agent: " + value + b"\r\n\r\n")
    keeper = int(pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()[0])
    os.kill(keeper, 9)  # something that is logged
    wait_until(lambda: "keeper died" in server.log(), 10, "the log has something to say")
    lines = server.log().splitlines()
    assert lines
    for line in lines:
        assert not line.startswith("2026-01-01T00:00:00") and all(c.isprintable() for c in line), line


def test_row36_metrics_carry_no_callers_text(start):
    server = start(slots=1)
    server.wire.execute("slot_0", HOSTILE + '"} 1\nforged 1', {})
    text = server.wire.get("/metrics").body.decode()
    assert "forged" not in text and "\x1b" not in text


# Row 39

@pytest.fixture(scope="module")
def listener(user, new_slotd, tmp_path_factory):
    """A server on a unix socket, where the sender sees when its bytes were received."""
    place = tmp_path_factory.mktemp("row39")
    place.chmod(0o777)
    for parent in [place.parent, place.parent.parent]:
        parent.chmod(0o755)
    slotd = new_slotd(user=user, slots=1, listen=f"unix:{place}/sock").connect()
    yield slotd
    slotd.stop()


def send_apart(plain, data):
    """Sends, and returns once the server has received it: what follows arrives on its own."""
    plain.sendall(data)
    end = time.monotonic() + 20
    while struct.unpack("i", fcntl.ioctl(plain, SIOCOUTQ, b"\0" * 4))[0] and time.monotonic() < end:
        time.sleep(0)


MESSAGES = {**AMBIGUOUS, **{f"chunks_{name}": post(TE, body) for name, body in BROKEN_CHUNKS.items()}}
GOOD = b"GET /slots HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("name", MESSAGES)
def test_row39_behind_a_good_request_and_split_anywhere_it_is_one_refusal(listener, name):
    message = GOOD + MESSAGES[name]
    step = 1 if len(message) < 500 else len(message) // 8
    for at in range(len(GOOD), len(message), step):
        received = b""
        with listener.wire.socket(20) as plain:
            try:
                send_apart(plain, message[:at])
                plain.sendall(message[at:] + SMUGGLED)
                while part := plain.recv(65536):
                    received += part
            except ConnectionError:
                pass
        codes = statuses(received)
        assert codes[0] == 200 and len(codes) == 2 and codes[1] in (400, 405, 413, 431, 501, 505), (at, received)
    result = Slot(listener, "slot_0").read("smuggled")
    assert result["error"] == "File not found: smuggled", "a smuggled request ran"


# Row 48

def nested(depth):
    return b"[" * depth + b"]" * depth


BOMBS = {
    "deep_arrays": nested(100_000), "deep_objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "unclosed": b"[" * 1_000_000,
    "repeated_key": b'{"slot_id":"slot_0","slot_id":"slot_1"}', "huge_number": b'{"timeout":1e400}', "long_number": b'{"timeout":' + b"9" * 1_000_000 + b"}",
    "many_values": b'{"args":{"a":[' + b"0," * 900_000 + b"0]}}", "many_keys": b"{" + b",".join(b'"%d":{}' % i for i in range(150_000)) + b"}",
    "not_utf8": b'{"slot_id":"\xff\xfe"}', "lone_surrogate": b'{"slot_id":"\\ud800"}', "nul": b'{"slot_id":"a\0b"}', "bom": b"\xef\xbb\xbf{}",
    "nan": b'{"timeout":NaN}', "trailing": b"{} {}", "long_string": b'{"slot_id":"' + b"\\u0041" * 300_000 + b'"}', "comment": b"{/**/}",
    "many_empty": b'{"args":{"a":[' + b"{}," * 600_000 + b"{}]}}", "long_key": b'{"' + b"k" * 2_000_000 + b'":1}',
}
ENTRIES = {
    "execute": ("POST", "/execute", lambda bomb: bomb), "stream": ("POST", "/execute?stream=1", lambda bomb: bomb),
    "batch": ("POST", "/batch", lambda bomb: bomb), "element": ("POST", "/batch", lambda bomb: b"[" + bomb + b"]"),
    "reset": ("POST", "/reset", lambda bomb: bomb),
    "args": ("POST", "/execute", lambda bomb: b'{"slot_id":"slot_0","tool":"bash","args":{"command":' + bomb + b"}}"),
}


def peak(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("bomb", BOMBS)
def test_row48_a_json_bomb_is_refused_quickly_and_costs_little(server, entry, bomb):
    method, path, wrap = ENTRIES[entry]
    body = wrap(BOMBS[bomb])
    before = server.rss_bytes()
    pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    begin = time.monotonic()
    reply = server.wire.request(method, path, body)
    took = time.monotonic() - begin
    assert reply.status in (200, 400, 413), (reply.status, reply.body[:200])
    assert b'"success": true' not in reply.body, reply.body[:200]
    if path != "/execute?stream=1":
        answers = reply.json()
        assert all(each["error"] for each in (answers if isinstance(answers, list) else [answers]))
    assert len(reply.body) < 10_000 or bomb in ("long_string", "long_key"), "a refusal does not repeat what it refuses"
    assert took < PROMPT * (40 if is_sanitized() else 1), took
    assert peak(server) - before - len(body) < allowed(FEW_BYTES), (peak(server) - before) / (1 << 20)


@pytest.mark.parametrize("bomb", ["deep_arrays", "repeated_key", "many_values", "not_utf8", "nan", "trailing"])
def test_row48_the_servers_own_configuration_is_read_as_strictly(launch, bomb):
    slotd = launch(slots=1, config=BOMBS[bomb])
    ready = slotd.ready_line()
    assert ready["ok"] is False and ready["error"]["message"]
    assert slotd.process.wait(20) != 0
