# SPDX-License-Identifier: Apache-2.0
"""Limits of a slot by the groups that were delegated to its container (version 1)."""
import pathlib

import pytest

from engine import CGROUPS

MEMORY = 64 << 20
DISK = 16 << 20
PIDS = 24

pytestmark = pytest.mark.skipif(not (CGROUPS / "memory/tasks").exists(), reason="no control groups of version 1 here")


# Where the engine mounts the container's own groups, which it then hides; and where nothing but the mount tells what it is.
@pytest.fixture(scope="module", params=["/sys/fs/cgroup", "/.berth/groups"])
def server(contained, request):
    slotd = contained(slots=2, groups=request.param, config={"slot": {"memory_bytes": MEMORY, "pids": PIDS, "disk_bytes": DISK, "cpu": 1},
                                                    "named_limits": ["memory", "pids", "disk", "cpu"]})
    slotd.connect()
    yield slotd
    slotd.stop()
    assert not slotd.delegation.left(), "groups were left behind"


def test_the_limits_are_the_kernels(server):
    isolation = server.wire.health()["isolation"]
    assert isolation["cgroup_version"] == 1 and not isolation["missing"], isolation
    group = pathlib.Path(CGROUPS / f"memory/berth/{server.folder.name}/slots")
    limits = {path.read_text().strip() for path in group.glob("berth/*/slot_*/memory.limit_in_bytes")}
    assert limits == {str(MEMORY + DISK)}


def test_memory_ends_that_call_alone(slots):
    one, other = slots
    result = one.exec("python3", "-c", "a = bytearray(512 << 20)\nfor i in range(0, len(a), 4096): a[i] = 1")
    assert not result["success"] and result["metadata"]["cause"] == "memory", result
    assert result["metadata"]["usage_source"] == "cgroup"
    assert other.output("echo alive") == "alive" and one.output("echo alive") == "alive"


def test_a_full_disk_is_the_disk(slots):
    result = slots[0].bash("head -c 64000000 /dev/zero > /workspace/f")
    assert not result["success"] and result["metadata"]["cause"] == "disk", result
    assert slots[1].output("echo alive") == "alive"


def test_a_fork_bomb_stays_in_its_slot(slots):
    one, other = slots
    result = one.bash("for i in $(seq 200); do sleep 5 & done; wait", timeout=3)
    assert not result["success"], result
    assert other.output("echo alive") == "alive"
    assert one.output("echo alive") == "alive"


def test_the_groups_are_not_seen_inside(slots):
    assert slots[0].output("ls -A /sys; grep -c ' - cgroup' /proc/self/mountinfo || true") == "0"
