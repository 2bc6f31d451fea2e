# SPDX-License-Identifier: Apache-2.0
"""The shipped seccomp profile: what it adds to an engine's own, what it never allows, and that a container under it has no
more power than before."""
import json

import pytest

from contained import PROFILE, security
from harness import wait_until

OF_SLOTS = {"clone", "mount", "umount2", "pivot_root", "sethostname"}
NEVER = {"acct", "add_key", "bpf", "clock_settime", "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen",
         "fspick", "init_module", "io_uring_setup", "ioperm", "iopl", "kexec_load", "kexec_file_load", "keyctl", "mbind", "mount_setattr",
         "move_mount", "open_by_handle_at", "open_tree", "perf_event_open", "quotactl", "reboot", "request_key", "setdomainname", "setns",
         "settimeofday", "swapoff", "swapon", "syslog", "unshare", "uselib", "userfaultfd", "vhangup"}
RUN_LIMIT = 60


def rules():
    return json.loads(PROFILE.read_text())


def test_what_no_rule_names_is_refused():
    profile = rules()
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in profile["syscalls"]} == {"SCMP_ACT_ALLOW"}


def test_it_allows_what_makes_slots_and_never_what_reaches_the_machine():
    named = [name for rule in rules()["syscalls"] for name in rule["names"]]
    whole = {name for rule in rules()["syscalls"] if not rule.get("args") for name in rule["names"]}
    assert OF_SLOTS <= whole
    assert not NEVER & set(named)
    assert len(set(named)) == len(named) - (named.count("personality") - 1)


@pytest.mark.parametrize("command", [["mount", "-t", "tmpfs", "x", "/etc"], ["hostname", "other"], ["umount", "/proc"]],
                         ids=lambda command: command[0])
def test_the_containers_own_root_gains_nothing(engine, image, command):
    container = engine.create(f"profile-{command[0]}", {
        "Image": image("busybox"), "Entrypoint": ["/bin/busybox"], "Cmd": command, "HostConfig": {"NetworkMode": "none", **security(engine)}})
    try:
        engine.start_container(container)
        state = wait_until(lambda: (now := engine.inspect(container)["State"])["Status"] == "exited" and now, RUN_LIMIT, "it ends")
        assert state["ExitCode"] != 0
        said = engine.logs(container)
        assert "not permitted" in said or "denied" in said, said
    finally:
        engine.remove(container)
