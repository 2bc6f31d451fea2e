# SPDX-License-Identifier: Apache-2.0
"""Reset: points 27 to 29 of the conformance checklist, and health during it: points 30 and 31."""
import contextlib
import os
import pathlib
import threading
import time

import pytest

from harness import Slot, alive, descendants, patient, wait_until
from wire import Wire

HEALTH_LIMIT = 0.1 * 5   # the checklist's 100 ms, for a loaded machine
RESET_LIMIT = 0.02 * 5 * 5  # design's 20 ms p99 after 1,000 files and 20 processes


def is_clean(slot):
    assert slot.output("ls -A /workspace /tmp /dev/shm") == "/dev/shm:\n\n/tmp:\n\n/workspace:"
    numbers = slot.output("ls /proc | grep '^[0-9]*$' | wc -l")
    assert int(numbers) <= 6, slot.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_p27_reset_empties_the_workspace_and_keeps_the_directory(slot):
    slot.output("mkdir -p a/b .hidden; echo x > a/b/c; echo y > .dot; ln -s /usr l; touch -- '-rf' 'a b' \"$(printf 'n\\nl')\"")
    slot.output("echo t > /tmp/t; echo s > /dev/shm/s")
    answer = slot.wire.reset(slot.name)
    assert answer == {"success": True, "output": f"Reset workspace for {slot.name}", "error": "", "execution_id": None,
                      "metadata": {}}
    is_clean(slot)
    assert slot.output("pwd; touch works; ls") == "/workspace\nworks"


def test_p27_an_unknown_slot_is_named(server):
    for name in ["slot_99", "", "slot_0 "]:
        answer = server.wire.reset(name)
        assert (answer["success"], answer["error"], answer["execution_id"]) == (False, f"Unknown slot: {name}", None)


def test_p27_reset_touches_one_slot_only(slots):
    for slot in slots:
        slot.write("x", slot.name)
    slots[0].reset()
    assert slots[1].read("x")["output"] == slots[1].name
    assert slots[0].read("x")["success"] is False


def test_p27_reset_undoes_changes_of_the_system(slot):
    if slot.bash("rm -rf /usr/share/base-files && echo evil > /usr/bin/planted && echo 1 >> /etc/passwd")["success"]:
        assert slot.output("ls /usr/share/base-files /usr/bin/planted 2>&1 | grep -c 'No such'") == "1"
    slot.reset()
    assert slot.output("ls /usr/share/base-files | head -1 | wc -l; ls /usr/bin/planted 2>/dev/null | wc -l; grep -c '^1$' /etc/passwd; true").split() == ["1", "0", "0"]


@pytest.mark.parametrize("mess", [
    "ln -s /usr evil; ln -s / root; ln -s . loop; ln -s loop loop2; ln -s nowhere dangling",
    "mkdir -p locked/in; touch locked/in/f; chmod 000 locked/in locked",
    "mkfifo pipe; mkfifo .p2", "rm -rf /workspace; true", "rm -rf \"$PWD\"; cd /; mkdir /workspace 2>/dev/null; true",
    "chmod 000 /workspace", "mv /workspace /gone 2>/dev/null; true", "exec 9<.; sleep 1000 9<&9 &",
    "python3 -c \"import socket; s=socket.socket(socket.AF_UNIX); s.bind('sock')\"",
    "python3 -c \"import os; [os.mkdir('d') or os.chdir('d') for _ in range(4000)]\"",
    "python3 -c \"import os; open(b'\\xff\\xfe','w'); open('a\\nb','w'); open('c'*255,'w')\"",
    "python3 -c \"import fcntl,os; f=open('im','w'); os.mkdir('x'*255)\""])
def test_p28_reset_survives_what_is_left_behind(slot, mess):
    slot.bash(mess)
    slot.reset()
    is_clean(slot)
    assert slot.output("test -d /usr/bin && echo there") == "there"


def test_p28_reset_after_many_files(slot):
    slot.output("mkdir d; i=0; while [ $i -lt 1000 ]; do : > d/f$i; i=$((i+1)); done; "
                "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do true; done")
    for _ in range(20):
        slot.run("exec", {"argv": ["sleep", "1000"], "background": True})
    begin = time.monotonic()
    slot.reset()
    assert time.monotonic() - begin < RESET_LIMIT
    is_clean(slot)


def held_mounts(pid):
    """Mount namespaces that a process keeps: those of its slots, and of a slot's last owner until they are taken down."""
    held = 0
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held += os.readlink(link).startswith("mnt:[")
    return held


def test_p28_reset_many_times_in_a_row(server, slot):
    slots = server.wire.health()["slots"]
    for i in range(20):
        slot.output(f"echo {i} > x; setsid sleep 1000 &")
        slot.reset()
        assert held_mounts(server.process.pid) <= slots + 1, "one last owner's at a time"
    is_clean(slot)
    wait_until(lambda: held_mounts(server.process.pid) == slots, 20, "the last owner's mounts are gone")


def test_p28_two_resets_at_once_both_succeed(slot):
    slot.write("x", "y")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(slot.wire.reset(slot.name))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["success"] for answer in answers] == [True] * 4
    is_clean(slot)


def test_p29_no_process_is_alive_after_reset(server, slot):
    before = descendants(server.process.pid)
    slot.bash("(setsid sleep 1000 &); (trap '' TERM HUP INT; sleep 1000) & nohup sleep 1000 & sleep 1", timeout=30)
    for command in ["setsid sleep 1111", "sh -c 'trap : TERM; sleep 1111'", "sh -c 'kill -STOP $$'"]:
        slot.run("exec", {"argv": ["sh", "-c", command], "background": True})
    wait_until(lambda: len(descendants(server.process.pid) - before) >= 3, 20, "background calls run")
    during = descendants(server.process.pid) - before
    slot.reset()
    assert not [identity for identity in during if alive(identity)]
    is_clean(slot)


def test_p29_reset_ends_a_running_call(slot):
    results = []
    thread = threading.Thread(target=lambda: results.append(slot.bash("echo begun > begun; sleep 1000", timeout=1000)))
    thread.start()
    wait_until(lambda: slot.wire.get("/slots").json()["slots"][int(slot.name[5:])]["state"] == "executing", 20, "call runs")
    begin = time.monotonic()
    slot.reset()
    thread.join(30)
    assert not thread.is_alive() and time.monotonic() - begin < 20
    assert results[0]["success"] is False and results[0]["metadata"]["cause"] in ("cancelled", "slot_lost")
    is_clean(slot)


def test_p29_reset_cancels_what_waits_in_the_queue(slot):
    results = []
    elements = [{"slot_id": slot.name, "tool": "bash", "args": {"command": f"sleep 1000; touch /workspace/ran{i}"},
                 "timeout": 1000} for i in range(3)]
    thread = threading.Thread(target=lambda: results.extend(slot.wire.batch(elements).json()))
    thread.start()
    wait_until(lambda: slot.wire.get("/slots").json()["slots"][int(slot.name[5:])]["state"] == "executing", 20, "call runs")
    slot.reset()
    thread.join(30)
    assert len(results) == 3 and not any(result["success"] for result in results)
    assert [result["metadata"]["started"] for result in results[1:]] == [False, False]
    is_clean(slot)


def test_p30_health_counts_add_up(server):
    health = server.wire.health()
    assert health["status"] == "ok"
    assert all(type(health[key]) is int for key in ("slots", "available", "executing"))
    assert health["available"] + health["executing"] == health["slots"]
    assert isinstance(health["boot_id"], str) and len(health["boot_id"]) >= 16
    assert {"data_dir", "bwrap_available", "stateful_dir"} <= set(health)


def test_p30_a_running_call_is_counted(server, slot):
    thread = threading.Thread(target=slot.bash, args=("sleep 1000",), kwargs={"timeout": 1000})
    thread.start()
    wait_until(lambda: server.wire.health()["executing"] == 1, 20, "one executing")
    health = server.wire.health()
    assert health["available"] == health["slots"] - 1
    slot.reset()
    thread.join()
    wait_until(lambda: server.wire.health()["executing"] == 0, 20, "none executing")


class HealthWatch:
    """Asks for health all the time and keeps the longest answer."""

    def __init__(self, address):
        self.wire = Wire(address)
        self.over = threading.Event()
        self.times = []
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        while not self.over.is_set():
            begin = time.monotonic()
            assert self.wire.health()["slots"]
            self.times.append(time.monotonic() - begin)
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def test_p31_health_answers_while_a_hundred_thousand_files_are_reset(start):
    server = start(slots=2, config={"slot": {"disk_bytes": 1 << 30, "memory_bytes": 1 << 30}})
    slot = Slot(server, "slot_0")
    made = slot.exec("/usr/bin/python3", "-c", "import os\nfor i in range(100000): os.close(os.open(f'f{i}', os.O_CREAT))", timeout=300)
    assert made["success"], made
    with HealthWatch(server.wire.address) as watch:
        slot.reset()
    assert max(watch.times) < patient(HEALTH_LIMIT)
    is_clean(slot)


def test_p31_health_answers_while_a_large_file_is_read(server, slot):
    slot.output("truncate -s 6G sparse")
    with HealthWatch(server.wire.address) as watch:
        slot.read("sparse")
        connection = server.wire.connection()
        connection.request("GET", f"/slots/{slot.name}/files/sparse")
        connection.getresponse().read(200 << 20)
        connection.close()
    assert max(watch.times) < patient(HEALTH_LIMIT)


def test_p31_health_answers_while_a_slot_archives(server, slots):
    """W20: nor does another slot wait for it."""
    slot, other = slots
    slot.output("truncate -s 6G x")
    with HealthWatch(server.wire.address) as watch:
        assert server.wire.post("/artifacts/archive", {"slot_id": slot.name}).status == 413  # told by its size alone
        slot.output("truncate -s 200M x; head -c 1000000 /dev/urandom > y; mkdir d; cd d; for i in $(seq 500); do echo > $i; done")
        archive = threading.Thread(target=server.wire.post, args=("/artifacts/archive", {"slot_id": slot.name}))
        archive.start()
        while archive.is_alive():
            begin = time.monotonic()
            assert other.output("echo x") == "x"
            watch.times.append((time.monotonic() - begin) / 5)  # a whole command has five times as long
        archive.join()
        server.wire.post("/artifacts/list", {"slot_id": slot.name, "recursive": True})
    assert max(watch.times) < patient(HEALTH_LIMIT)
