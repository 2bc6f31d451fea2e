# SPDX-License-Identifier: Apache-2.0
"""Points 45, 60 and 61 of the conformance checklist; and the list of all points and weak points that concern a slot
server: each has its test."""
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from harness import Slot, alive, descendants, wait_until

HERE = pathlib.Path(__file__).parent
STOP_PROMISE = 5 * 5
CONTAINED = HERE.parent / "real/docker"

# Weak points of section 7 that concern a slot server. W51, W53-W55 are the executor's, W57-W68 the pool's, W69-W81 the
# tool executor's: other issues have them.
WEAK = {
    1: "test_row02_p43", 2: "test_p58_text_that_looks_like", 3: "test_row27_no_file_in_the_workspace", 4: "test_w4_w5_nothing",
    5: "test_w4_w5_nothing", 6: "test_row01_the_server_cannot", 7: "test_row07_processes_of_others", 8: "test_row23_a_raced_link",
    9: "test_the_servers_environment", 10: "test_p42_policy_flags", 11: "test_row06_a_fork_bomb", 12: "test_a_full_network_without_a_token",
    13: "test_row05_p47", 14: "test_p48_a_bad_timeout", 15: "test_p29_no_process_is_alive", 16: "test_background_children_do_not_hold",
    17: "test_p12_output_before", 18: "test_row32_p46", 19: "test_p10_head_and_tail", 20: "test_p31_health_answers_while_a_slot_archives",
    21: "test_row24_strange_files", 22: "test_p57_the_limit_is_the_calls_timeout", 23: "test_p50_a_lost_connection", 24: "test_row56_orphans",
    25: "test_p57_a_final_enter", 26: "test_point_53", 27: "test_point_53", 28: "test_point_54_any_shell_text", 29: "test_w29_exit_ends",
    30: "test_p55_capture_entire", 31: "test_p56_a_new_shell", 32: "test_p56_small_reads", 33: "test_p59_a_second_start",
    34: "test_w34_literal", 35: "test_p59_a_second_start", 36: "test_p26_two_hundred_large_writes", 37: "test_p28_reset_survives",
    38: "test_p28_reset_survives", 39: "test_health_names_the_boot", 40: "test_p18_workspace", 41: "test_p20_whatever_can_be_written",
    42: "test_p16_the_round_trip", 43: "test_p21_a_failed_write", 44: "test_p34_a_cut_text", 45: "test_p35_links_keep", 46: "test_p37_links_stay",
    47: "test_a_body_that_is_no_object_is_400_in_json", 48: "test_p25_one_malformed", 49: "test_output_that_is_not_utf8",
    50: "test_p49_the_same_call_again", 52: "test_p51_a_call_whose_deadline", 56: "test_row10_a_late_call",
}


def names_of_tests():
    files = [*HERE.glob("test_*.py"), *CONTAINED.glob("test_*.py")]
    return [name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)]


def points_of(name):
    return {int(number) for number in re.findall(r"_p(?:oint_)?(\d\d)(?=_|$)", name)}


@pytest.mark.local_only("reads these tests themselves")
@pytest.mark.parametrize("point", range(1, 65))
def test_every_point_that_concerns_a_server_or_client_has_its_test(point):
    assert any(point in points_of(name) for name in names_of_tests())


@pytest.mark.local_only("reads these tests themselves")
@pytest.mark.parametrize("weak", WEAK)
def test_every_weak_point_of_a_server_has_its_test(weak):
    assert any(name.startswith(WEAK[weak]) for name in names_of_tests()), WEAK[weak]


# Point 45

PLANTS = {
    "link": "ln -s {target} {name}", "link_to_directory": "ln -s /etc {name}", "fifo": "mkfifo {name}",
    "socket": "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('{name}')\"",
}
NAMES = ["f", "d/f", ".berth", ".tmp", "f.tmp", ".asciinema.cast", ".atropos_stateful_init.sh", "tmux.sock"]


@pytest.mark.parametrize("plant", PLANTS)
def test_p45_what_is_planted_under_any_name_never_leads_out_or_blocks(slot, plant, tmp_path):
    """In the workspace and in /tmp: each tool and route answers at once, and a canary outside keeps its bytes."""
    canary = tmp_path / "canary"
    canary.write_text("the server's own")
    commands = ["mkdir -p d"]
    for place in ["/workspace", "/tmp"]:
        commands += [f"cd {place} && mkdir -p d && {PLANTS[plant].format(target=canary, name=name)}" for name in NAMES]
    slot.output("; ".join(commands))
    begin = time.monotonic()
    for name in NAMES:
        read = slot.read(name)
        assert read["success"] is False and "own" not in read["output"], (name, read)
        for method in ["GET", "PUT"]:
            body = b"overwritten" if method == "PUT" else None
            reply = slot.wire.request(method, f"/slots/{slot.name}/files/{name}", body)
            assert b"own" not in reply.body and reply.status != 500, (method, name, reply)
        slot.write(name, "overwritten")
        for route in ["read", "list", "archive"]:
            reply = slot.wire.post(f"/artifacts/{route}", {"slot_id": slot.name, "path": name})
            assert reply.status != 500 and b"the server's own" not in reply.body
    slot.wire.get(f"/slots/{slot.name}/files/?tar=1")
    assert slot.output("echo alive") == "alive"
    slot.reset()
    assert time.monotonic() - begin < 30
    assert canary.read_text() == "the server's own"


# Point 60

@pytest.mark.parametrize("flag", ["--host", "--listen"])
def test_p60_host_and_port_say_where_it_listens(start, flag):
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = start(slots=1, listen="127.0.0.1", port=port, address_flag=flag)
    assert server.ready["port"] == port
    assert server.wire.health()["status"] == "ok"


def test_p60_the_data_directory_is_the_flags(start):
    server = start(slots=1)
    assert server.wire.health()["data_dir"] == str(server.data_dir)
    assert server.wire.get("/slots").json()["slots"][0]["workspace_dir"] == f"{server.data_dir}/slot_0"


def test_p60_an_empty_directory_of_nomads_is_none(start):
    server = start(slots=1, env={"PATH": "/usr/bin:/bin", "NOMAD_ALLOC_DIR": ""})
    assert server.wire.health()["data_dir"] == str(server.data_dir)


# Point 61

@pytest.mark.parametrize("path", ["/execute", "/execute?stream=1", "/batch", "/batch?stream=1"])
def test_p61_a_stop_answers_what_runs_and_what_waits(start, path):
    """A call that ends by itself within the patience, which is a second where the server is the first process, is answered as
    if nothing were; what would not end is cancelled."""
    server = start(slots=2)
    short = {"slot_id": "slot_0", "tool": "bash", "args": {"command": "echo begun; until [ -e go ]; do sleep 0.05; done; sleep 0.2; echo done"}, "timeout": 100}
    long = {"slot_id": "slot_1", "tool": "bash", "args": {"command": "sleep 1000"}, "timeout": 1000}
    bodies = [[short, long, long]] if "batch" in path else [short, long, long]
    replies = [None] * len(bodies)

    def send(i):
        replies[i] = server.wire.post(path, bodies[i]).body.decode()

    threads = [threading.Thread(target=send, args=(i,)) for i in range(len(bodies))]
    for thread in threads:
        thread.start()
    wait_until(lambda: server.wire.health()["executing"] == 2, 20, "calls run")
    wait_until(lambda: sum(slot["queued"] for slot in server.wire.get("/slots").json()["slots"]) == 1, 20, "one waits")
    family = descendants(server.process.pid)
    begin = time.monotonic()
    Slot(server, "slot_0").put("go", b"")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_PROMISE) == 0
    assert time.monotonic() - begin < STOP_PROMISE
    for thread in threads:
        thread.join(10)
    text = "".join(replies)
    assert text.count('"cause":"exit"') + text.count('"cause": "exit"') == 1 and "begun\\ndone" in text
    assert text.count("cancelled") >= 2
    wait_until(lambda: not any(map(alive, family)), 10, "its processes are gone")


def test_p61_a_stop_takes_no_new_calls(start):
    server = start(slots=1)
    thread = threading.Thread(target=Slot(server, "slot_0").bash, args=("sleep 2",))
    thread.start()
    wait_until(lambda: server.wire.health()["executing"] == 1, 20, "a call runs")
    os.kill(server.process.pid, signal.SIGTERM)

    def refused():
        try:
            server.wire.get("/health", timeout=5)
        except OSError:
            return True
        return False

    wait_until(refused, 3, "it listens no more")
    thread.join()
    assert server.process.wait(STOP_PROMISE) == 0
