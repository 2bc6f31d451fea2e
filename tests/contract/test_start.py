# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping: flags (wire.md 1.8), the ready line, the lifeline, tokens, signals; points 60 and 61."""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import stat
import tempfile
import threading
import time

import pytest

from harness import FRESH_UID, Slot, alive, descendants, wait_until
from wire import Wire

STOP_PROMISE = 5 * 5  # checklist 61: within 5 s
LONELY = 3  # seconds without a request after which a server was told to end
TOKEN = "correct-horse-battery-staple"


def refused(slotd):
    line = slotd.ready_line()
    assert line["ok"] is False, line
    assert {"code", "message"} <= set(line["error"]) and line["error"]["message"]
    assert slotd.process.wait(20) == 3
    return line["error"]


def test_the_ready_line_names_port_and_boot(start):
    server = start(slots=1, listen="127.0.0.1")
    assert server.ready["ok"] is True and 0 < server.ready["port"] < 65536
    assert server.wire.health()["boot_id"] == server.ready["boot_id"]


@pytest.mark.local_only("compares it with the line on a descriptor that is handed down; in a container it is all there is")
def test_the_ready_file_has_the_same_line_and_appears_whole(launch, user):
    with tempfile.TemporaryDirectory(prefix="berth-contract-") as place:
        os.chmod(place, 0o777)
        server = launch(slots=1, arguments=["--ready-file", f"{place}/ready.json"])
        line = server.ready_line()
        text = wait_until(lambda: os.listdir(place) == ["ready.json"] and pathlib.Path(place, "ready.json").read_text(), 10,
                          "the ready file is there, alone")
        assert json.loads(text) == line and line["ok"] is True
        broken = launch(config='{"slots": 0}', arguments=["--ready-file", f"{place}/broken.json"])
        line = broken.ready_line()
        wait_until(lambda: os.path.exists(f"{place}/broken.json"), 10, "the failure is told as well")
        assert json.loads(pathlib.Path(place, "broken.json").read_text()) == line and line["ok"] is False


def test_a_server_that_nobody_asks_ends_after_its_lonely_limit(start):
    server = start(slots=1, arguments=["--lonely-limit", str(LONELY)])
    asked_until = time.monotonic() + 1.5 * LONELY
    while time.monotonic() < asked_until:
        assert server.wire.health()["status"] == "ok"
        time.sleep(LONELY / 8)
    family = descendants(server.process.pid)
    quiet_since = time.monotonic()
    assert server.process.wait(5 * LONELY) == 0
    assert time.monotonic() - quiet_since > LONELY / 2
    wait_until(lambda: not any(map(alive, family)), 10, "its slots are gone as well")


def test_a_folder_that_belongs_to_a_user_gives_the_socket_to_them(start, user):
    if user != 0:
        pytest.skip("only root gives files away")
    with tempfile.TemporaryDirectory(prefix="berth-contract-") as place:
        os.chown(place, FRESH_UID, FRESH_UID)
        server = start(slots=1, listen=f"unix:{place}/sock")
        assert os.stat(f"{place}/sock").st_uid == FRESH_UID
        server.stop()


def test_p60_slots_sets_how_many(start):
    assert start(slots=3).wire.health()["slots"] == 3


def test_a_unix_socket_is_private_to_its_user(start):
    with tempfile.TemporaryDirectory(prefix="berth-contract-") as place:
        os.chmod(place, 0o777)
        path = f"{place}/sock"
        server = start(slots=1, listen=f"unix:{path}")
        assert server.wire.health()["status"] == "ok"
        assert Slot(server, "slot_0").output("echo x") == "x"
        facts = os.stat(path)
        assert stat.S_ISSOCK(facts.st_mode) and stat.S_IMODE(facts.st_mode) & 0o077 == 0
        server.stop()


@pytest.mark.parametrize("config, named", [
    ("{", "config"), ('{"slots": 0}', "slots"), ('{"nonsense": 1}', "nonsense"), ('{"slot": {"pids": 0}}', "pids"),
    ('{"isolation": "maybe"}', "isolation"), ('{"slots": 1, "slots": 2}', "slots")])
def test_a_bad_configuration_is_refused_by_name(launch, config, named):
    error = refused(launch(config=config))
    assert named in error["message"]


def test_a_missing_configuration_is_refused(launch):
    assert "/no/such/file" in refused(launch(arguments=["--config", "/no/such/file"]))["message"]


def test_an_address_in_use_is_refused(start, launch):
    first = start(slots=1, listen="127.0.0.1")
    port = first.ready["port"]
    error = refused(launch(slots=1, listen="127.0.0.1", port=port, beside=first))
    assert str(port) in error["message"] or "in use" in error["message"]


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--slots", "x"], ["--slots", "0"], ["--slots", "-1"],                                        ["--isolation", "maybe"], ["stray"]])
def test_bad_flags_end_with_usage(launch, arguments):
    slotd = launch(arguments=arguments)
    assert slotd.process.wait(20) in (2, 3)
    assert slotd.log().strip() or slotd.ready_line()["ok"] is False


def test_a_full_network_without_a_token_on_tcp_is_refused(launch):
    error = refused(launch(slots=1, listen="127.0.0.1", config={"isolation": "best-effort", "slot": {"network": "full"}}))
    assert "token" in error["message"] + error.get("hint", "")


@pytest.mark.local_only("no pipe reaches into a container; --lonely-limit is what ends a server there")
def test_it_ends_when_its_lifeline_ends(start):
    server = start(slots=2)
    Slot(server, "slot_0").run("exec", {"argv": ["sleep", "1000"], "background": True})
    family = descendants(server.process.pid)
    os.close(server.lifeline)
    server.lifeline = os.open("/dev/null", os.O_RDONLY)
    server.process.wait(STOP_PROMISE)
    wait_until(lambda: not any(map(alive, family)), 10, "its processes are gone")


def test_p61_sigterm_answers_what_runs_and_ends(start):
    server = start(slots=2)
    family = {}
    results = []
    thread = threading.Thread(target=lambda: results.append(Slot(server, "slot_0").bash("echo begun; sleep 1000", timeout=1000)))
    thread.start()
    wait_until(lambda: server.wire.health()["executing"] == 1, 20, "call runs")
    family = descendants(server.process.pid)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_PROMISE) == 0
    thread.join(10)
    assert time.monotonic() - begin < STOP_PROMISE and not thread.is_alive()
    assert results and results[0]["success"] is False and results[0]["output"] == "begun"
    wait_until(lambda: not any(map(alive, family)), 10, "its processes are gone")


def test_it_dies_of_kill_and_so_do_its_slots(start):
    server = start(slots=3)
    for i in range(3):
        Slot(server, f"slot_{i}").run("exec", {"argv": ["sh", "-c", "trap '' TERM HUP; setsid sleep 1000 & sleep 1000"], "background": True})
    family = descendants(server.process.pid)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(map(alive, family)), 10, "its processes are gone")


def test_a_closed_pipe_does_not_end_it(start):
    server = start(slots=1)
    server.process.send_signal(signal.SIGPIPE)
    for _ in range(3):
        assert server.wire.health()["status"] == "ok"


@pytest.fixture
def guarded(start):
    """A server with a token; the file holds its digest or the token, as the flag takes it."""
    return start(slots=1, token="sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest() + "\n")


def with_token(server, token=TOKEN, **headers):
    boot = {"Berth-Boot": server.ready["boot_id"], "Berth-Generation": "1"}
    return Wire(server.wire.address, {"Authorization": f"Bearer {token}", **boot, **headers})


WRONG = ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest(),
         hashlib.sha256(TOKEN.encode()).hexdigest(), "x" * 10_000]


@pytest.mark.parametrize("token", WRONG, ids=lambda token: token[:12] or "empty")
def test_a_wrong_token_is_refused_everywhere_with_one_body(guarded, token):
    bodies = set()
    for method, path in [("GET", "/slots"), ("POST", "/execute"), ("POST", "/batch"), ("POST", "/reset"), ("GET", "/metrics"),
                         ("GET", "/slots/slot_0/files/x"), ("PUT", "/slots/slot_0/files/x"), ("GET", "/slots/slot_0/executions/x"),
                         ("GET", "/slots/slot_99/files/x")]:
        reply = with_token(guarded, token).request(method, path, b"{}" if method != "GET" else None)
        assert reply.status in (401, 403), (method, path, reply)
        bodies.add(reply.body)
    assert len(bodies) == 1


def test_no_token_is_401_and_the_body_is_not_read(guarded):
    assert guarded.wire.post("/execute", b"{").status == 401
    received, _ = guarded.wire.raw(b"POST /batch HTTP/1.1\r\nHost: h\r\nContent-Length: 60000000\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 401 ")


def test_a_token_in_query_or_trailer_does_not_count(guarded):
    assert guarded.wire.get(f"/slots?token={TOKEN}&access_token={TOKEN}").status == 401
    message = (b"POST /execute HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
               b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n")
    received, _ = guarded.wire.raw(message)
    assert received.startswith(b"HTTP/1.1 401 ")


def test_the_right_token_with_boot_and_generation_runs_calls(guarded):
    wire = with_token(guarded)
    call = {"slot_id": "slot_0", "tool": "bash", "args": {"command": "echo x"}, "generation": 1}
    assert wire.post("/execute", call).json()["output"] == "x"
    assert wire.post("/reset", {"slot_id": "slot_0", "generation": 2}).json()["success"] is True
    assert guarded.wire.health()["status"] == "ok"


def test_with_a_token_boot_and_generation_are_required(guarded):
    wire = with_token(guarded)
    call = {"slot_id": "slot_0", "tool": "bash", "args": {"command": "touch ran"}}
    assert wire.post("/execute", call).status in (400, 409)
    del wire.headers["Berth-Boot"]
    assert wire.post("/execute", {**call, "generation": 1}).status in (400, 409)
    assert wire.post("/reset", {"slot_id": "slot_0", "generation": 5}).status in (400, 409)
    wire = with_token(guarded)
    del wire.headers["Berth-Generation"]
    assert wire.get("/slots/slot_0/files/x").status in (400, 409)


def test_neither_token_nor_digest_shows_in_the_log_or_in_slots(guarded):
    wire = with_token(guarded)
    with_token(guarded, "wrong-secret-token").get("/slots")
    call = {"slot_id": "slot_0", "tool": "bash", "generation": 1,
            "args": {"command": "env; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"}}
    seen = wire.post("/execute", call).json()["output"] + guarded.log()
    for secret in [TOKEN, "wrong-secret-token", hashlib.sha256(TOKEN.encode()).hexdigest()]:
        assert secret not in seen


def test_log_records_stay_single_lines_whatever_callers_send(start):
    server = start(slots=1)
    hostile = "x\n2026-01-01T00:00:00.000Z error forged record\x1b[2J\u202e"
    server.wire.execute("slot_0", hostile, {"command": hostile})
    server.wire.execute(hostile, "bash")
    server.wire.get("/slots/x%0aforged/files/x")
    for line in server.log().splitlines():
        assert not line.startswith("2026-01-01T00:00:00") and "\x1b" not in line and "\u202e" not in line


def test_p60_nomads_directory_beats_the_flag(user, start):
    with tempfile.TemporaryDirectory(prefix="berth-contract-") as place:
        os.chmod(place, 0o777)
        # The socket lies there too: so the folder is in a container as well.
        server = start(slots=1, listen=f"unix:{place}/sock", env={"PATH": "/usr/bin:/bin", "NOMAD_ALLOC_DIR": place})
        assert server.wire.health()["data_dir"] == f"{place}/data"
        server.stop()


def test_setup_commands_run_once_below_all_slots(start, user):
    server = start(slots=2, config={"setup": ["echo ready > /workspace/../tmp/x; mkdir -p /opt/made && echo yes > /opt/made/f"]})
    if not server.wire.health()["isolation"]["writable_root"]:
        pytest.skip("this user's slots show a read-only system: setup has nothing to write to")
    for i in range(2):
        assert Slot(server, f"slot_{i}").output("cat /opt/made/f") == "yes"


def test_setup_commands_have_the_servers_network(start, user):
    """Whatever slots have: they fetch what slots are to find."""
    ns = "readlink /proc/self/ns/net"
    server = start(slots=1, config={"setup": [f"mkdir -p /opt/made && {ns} > /opt/made/network"]})
    if not server.wire.health()["isolation"]["writable_root"]:
        pytest.skip("this user's slots show a read-only system: setup has nothing to write to")
    slot = Slot(server, "slot_0")
    own = os.readlink(f"/proc/{server.process.pid}/ns/net")
    assert slot.output("cat /opt/made/network") == own
    assert slot.output(ns) != own


def test_failing_setup_keeps_the_server_from_starting(launch):
    slotd = launch(slots=1, config={"setup": ["echo the reason why >&2; exit 7"]})
    error = refused(slotd)
    assert "the reason why" in error["message"] + error.get("hint", "") + slotd.log()


@pytest.mark.parametrize("children", [1, 2, 3, 5, 8, 12, 16])
def test_killed_while_it_builds_its_slots_it_leaves_no_process(launch, children):
    """Neither keepers nor what was cloned and is no keeper yet: those still have the server's own program."""
    server = launch(slots=20)
    program = identity(server.binary)
    wait_until(lambda: len(descendants(server.process.pid)) >= children, 60, "it is at work")
    family = descendants(server.process.pid)
    assert running(program)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(map(alive, family)) and not running(program), 30, "its processes are gone")


def identity(path):
    """Of a server's program: each server has a copy of its own."""
    facts = os.stat(path)
    return facts.st_dev, facts.st_ino


def running(program):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if identity(f"/proc/{pid}/exe") == program:
                found.append(pid)
    return found
