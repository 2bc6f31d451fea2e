# SPDX-License-Identifier: Apache-2.0
"""Row 21 of the threats: what a command of a slot in a container is and has, compared as a whole with a committed file."""
import os
import pathlib

import pytest

from harness import Slot

ROOT = pathlib.Path(os.environ["BERTH_SOURCE_DIR"])
PROBE = ROOT / "tests/fault/posture.py"
PRELUDE = """
import errno, os
def attempt(f, *args):
    try: f(*args)
    except OSError as e: return errno.errorcode.get(e.errno, str(e.errno))
    return 'ok'
def read(path):
    with open(path) as f: return f.read()
"""
NAMESPACES = ("ipc", "mnt", "net", "pid", "user", "uts")


@pytest.fixture(scope="module", params=[("root", "0"), ("user", "1234")], ids=lambda param: param[0])
def posed(request, contained):
    """A slot of Debian's image whose commands run as that user, and what it is to look like."""
    name, user = request.param
    slotd = contained(slots=2, config={"user": user})
    try:
        slotd.connect()
        isolation = slotd.wire.health()["isolation"]
        if isolation["rung"] != 1:
            pytest.skip(f"this kernel gives slots rung {isolation['rung']}")
        yield slotd, (pathlib.Path(__file__).parent / f"posture-{name}.txt").read_text()
    finally:
        slotd.stop() if slotd.process.poll() is None else slotd.kill()


def test_row21_a_command_is_and_has_what_is_committed_and_nothing_else(posed):
    result = Slot(posed[0], "slot_0").exec("python3", "-I", "-c", PRELUDE + PROBE.read_text())
    assert result["success"], result
    assert result["output"].splitlines() == posed[1].splitlines()


def test_row21_every_thread_of_a_command_is_held_alike(posed):
    script = PRELUDE + """
import threading
hold = threading.Barrier(5)
def wait(): hold.wait(); hold.wait()
threads = [threading.Thread(target=wait) for _ in range(4)]
for each in threads: each.start()
hold.wait()
fields = ('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp', 'Uid', 'Gid')
kept = {tuple(line for line in read(f'/proc/self/task/{t}/status').splitlines() if line.split(':')[0] in fields)
        for t in os.listdir('/proc/self/task')}
print(len(os.listdir('/proc/self/task')), len(kept))
hold.wait()
"""
    assert Slot(posed[0], "slot_0").exec("python3", "-I", "-c", script)["output"] .strip() == "5 1"


def test_row21_a_command_has_namespaces_of_its_own(posed):
    """None is the machine's, the container's or the neighbour's."""
    server = posed[0]
    seen = "; ".join(f"readlink /proc/self/ns/{name}" for name in NAMESPACES)
    found = [Slot(server, f"slot_{number}").output(seen).split() for number in range(2)]
    outside = [[os.readlink(f"/proc/{pid}/ns/{name}") for name in NAMESPACES] for pid in (server.process.pid, "self")]
    for place, name in enumerate(NAMESPACES):
        inside = {each[place] for each in found}
        assert not inside & {each[place] for each in outside}, (name, found, outside)
        # That of the host name is each call's own: when it has ended, another may have its number.
        assert len(inside) == 2 or name == "uts", (name, found)
