# SPDX-License-Identifier: Apache-2.0
"""Row 56 of facts/threats.md: ten thousand orphans, in a slot (its keeper reaps) and beside the slots when the server is
the first process of its container (it reaps itself); SIGTERM ends it in time."""
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from harness import IN_CONTAINER, descendants, processes, program, wait_until
from wire import Wire

ORPHANS = 10_000
NO_ZOMBIES_AFTER = 1 * 5     # the row promises one second
ENDS_WITHIN = 5 * 5          # checklist 61 promises five
START_LIMIT = 30

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a pid namespace of its own needs root")


def zombies(of):
    below = {pid for pid, _ in descendants(of)}
    return [pid for pid, facts in processes().items() if pid in below and facts[1] == "Z"]


@pytest.fixture
def first_process(new_slotd):
    """A server that is pid 1 of a new pid namespace: its wire, its pid as seen from here, and the process to wait for."""
    yield from contained(new_slotd) if IN_CONTAINER else unshared()


def contained(new_slotd):
    server = new_slotd(slots=2)
    try:
        server.connect()
        yield server.wire, server.process.pid, server.process
    finally:
        server.kill()


def unshared():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-first-"))
    ready, ready_end = os.pipe()
    shell = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", program(), "--listen", "127.0.0.1", "--port", "0", "--slots", "2",
         "--data-dir", folder, "--ready-fd", str(ready_end)], pass_fds=[ready_end], stdin=subprocess.DEVNULL)
    os.close(ready_end)
    try:
        assert select.select([ready], [], [], START_LIMIT)[0], "the server did not start"
        line = json.loads(os.read(ready, 4096))
        assert line["ok"], line
        children = pathlib.Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
        yield Wire(line["port"]), int(children[0]), shell
    finally:
        os.close(ready)
        shell.kill()
        shell.wait(timeout=ENDS_WITHIN)
        shutil.rmtree(folder, ignore_errors=True)


def test_row56_orphans_of_a_slot_leave_no_zombie(server, slot, run_probe):
    run_probe(slot, "orphans", str(ORPHANS))
    wait_until(lambda: not zombies(server.process.pid), NO_ZOMBIES_AFTER, "no zombie is left")


def test_row56_the_first_process_reaps_what_is_not_its_own(first_process, probe, tmp_path):
    wire, server, _ = first_process
    made = tmp_path / "orphans"
    made.write_bytes(probe("orphans"))
    made.chmod(0o755)
    subprocess.run(["nsenter", "--target", str(server), "--pid", made, str(ORPHANS)], check=True, timeout=120)
    wait_until(lambda: not zombies(server), NO_ZOMBIES_AFTER, "no zombie is left")
    # The storm cost no keeper: slots work, and a reset still collects its own.
    for name in ("slot_0", "slot_1"):
        assert wire.post("/reset", {"slot_id": name}).json()["success"] is True
        answer = wire.post("/execute", {"slot_id": name, "tool": "bash", "args": {"command": "echo alive"}}).json()
        assert answer["output"] == "alive"
    wait_until(lambda: not zombies(server), NO_ZOMBIES_AFTER, "no keeper's zombie is left")


def test_row56_a_first_process_ends_on_sigterm(first_process):
    wire, server, process = first_process
    wire.post("/execute", {"slot_id": "slot_0", "tool": "exec", "args": {"argv": ["sleep", "1000"], "background": True}})
    begin = time.monotonic()
    os.kill(server, signal.SIGTERM)
    assert process.wait(timeout=ENDS_WITHIN) == 0
    assert time.monotonic() - begin < ENDS_WITHIN
