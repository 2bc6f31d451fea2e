# SPDX-License-Identifier: Apache-2.0
"""Containers that cannot isolate slots: strict refuses in one sentence that says the way out, the ladder's second rung
needs CAP_SYS_ADMIN, and nothing runs outside a slot unless that was asked for."""
import json

import pytest

from contained import PROFILE
from harness import Slot

MASKED = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
DOCKERS_OWN = {"SecurityOpt": []}
COVERED = {"MaskedPaths": MASKED, "ReadonlyPaths": READ_ONLY}


def refusal(server):
    line = server.ready_line()
    assert line["ok"] is False, line
    assert server.process.wait(30) != 0
    return line["error"]


def test_strict_is_refused_under_dockers_own_seccomp_profile(contained, start):
    error = refusal(start(ready=False, image=contained.image, host_config=DOCKERS_OWN))
    assert error["code"] == "isolation"
    assert "seccomp profile refuses user namespaces" in error["message"], error
    assert "Berth's seccomp profile" in error["hint"] and "\n" not in error["message"] + error["hint"], error


@pytest.mark.parametrize("call", ["clone", "mount", "umount2", "pivot_root", "sethostname"])
def test_every_call_that_the_profile_adds_is_needed(contained, start, call):
    profile = json.loads(PROFILE.read_text())
    profile["syscalls"][0]["names"].remove(call)
    error = refusal(start(ready=False, image=contained.image, host_config={"SecurityOpt": ["seccomp=" + json.dumps(profile)]}))
    assert "refuse" in error["message"] and "profile" in error["message"], error


def test_strict_is_refused_without_the_capabilities_that_map_ids(contained, start):
    error = refusal(start(ready=False, image=contained.image, host_config={"CapDrop": ["SETFCAP"]}))
    assert "CAP_SETUID, CAP_SETGID and CAP_SETFCAP" in error["message"], error


def test_strict_is_refused_while_system_paths_are_masked(contained, start):
    error = refusal(start(ready=False, image=contained.image, host_config=COVERED))
    assert "a new /proc is refused while parts of the container's are covered" in error["message"], error
    assert "MaskedPaths and ReadonlyPaths empty" in error["hint"], error


@pytest.mark.parametrize("more", [COVERED, {**COVERED, **DOCKERS_OWN}], ids=["masked_paths", "all_of_dockers_defaults"])
def test_cap_sys_admin_and_net_admin_are_the_second_rung(contained, start, more):
    server = start(slots=2, image=contained.image, host_config={**more, "CapAdd": ["SYS_ADMIN", "NET_ADMIN"]})
    isolation = server.wire.health()["isolation"]
    assert isolation["rung"] == 2 and any("rung two" in note for note in isolation["notes"]), isolation
    one, other = Slot(server, "slot_0"), Slot(server, "slot_1")
    assert one.output("echo x > /etc/x; rm -r /usr/share/base-files; ls -A /.berth 2>/dev/null || echo nothing") == "nothing"
    assert other.output("ls /etc/x 2>/dev/null; ls -d /usr/share/base-files").endswith("base-files")
    assert "opened" not in one.output("(: >> /proc/sys/kernel/core_pattern) 2>/dev/null && echo opened; true")
    status = one.output("cat /proc/self/status")
    assert "NoNewPrivs:\t1" in status and "CapEff:\t00000000000004fb" in status, status
    assert one.output("ls /proc | grep -c '^[0-9]'") in ("2", "3", "4")
    assert one.output("cat /proc/mounts; ls /../../.. | tr '\\n' ' '").find("overlay2") == -1


def test_the_second_rung_without_net_admin_says_what_is_missing(contained, start):
    error = refusal(start(ready=False, image=contained.image, host_config={**COVERED, "CapAdd": ["SYS_ADMIN"]}))
    assert "CAP_NET_ADMIN" in error["message"] and "CAP_NET_ADMIN" in error["hint"], error


def test_without_isolation_runs_only_what_asked_for_it(contained, start):
    server = start(slots=1, image=contained.image, host_config=DOCKERS_OWN, config={"isolation": "none", "user": "daemon"})
    assert server.wire.health()["isolation"]["rung"] == 3
    slot = Slot(server, "slot_0")
    assert slot.output("id -un; pwd; touch f && stat -c %U f").split()[0] == "daemon"
    required = slot.bash("true", require_sandbox=True)
    assert not required["success"] and required["metadata"]["cause"] == "isolation", required


def test_a_limit_that_nothing_can_enforce_is_refused_by_name(contained, start):
    error = refusal(start(ready=False, image=contained.image, config={"slot": {"memory_bytes": 64 << 20}, "named_limits": ["memory"]}))
    assert "slot.memory cannot be enforced" in error["message"] and error["hint"], error
