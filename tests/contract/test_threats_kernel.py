# SPDX-License-Identifier: Apache-2.0
"""Rows 2, 3, 12 and 14 to 21 of facts/threats.md as a slot's user meets them: what the kernel is asked for and answers."""
import os
import pathlib

import pytest

from harness import Slot, wait_until

# Every attempt of probes/battery.c and the answers that keep the promise. ok: the filter must let it through.
DENIED = {"EPERM"}
ABSENT = {"EPERM", "ENOSYS"}
FAMILY = {"EAFNOSUPPORT"}
EXPECTED = {
    **dict.fromkeys(["mount", "umount", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "move_mount",
                     "mount_setattr", "unshare_user", "unshare_mount", "unshare_net", "setns", "clone_user",
                     "clone_user_mount", "clone_mount", "clone_pid", "clone_net", "clone_uts", "chroot_escape", "bpf",
                     "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
                     "add_key", "request_key", "kexec_load", "kexec_file_load", "init_module", "finit_module",
                     "delete_module", "clock_settime", "settimeofday", "quotactl", "swapon", "reboot", "acct", "syslog",
                     "fanotify_init", "mbind", "iopl", "ptrace_init", "tiocsti", "tiocsti_high_bits", "tioclinux",
                     "mknod_char", "mknod_block", "sethostname"], DENIED),
    "clone3": {"ENOSYS"}, "int80": {"ENOSYS"}, "x32": {"ENOSYS"},
    **dict.fromkeys(["socket_packet", "socket_alg", "socket_vsock", "socket_bluetooth", "socket_can",
                     "socket_vsock_high_bits"], FAMILY),
    "socket_raw": DENIED, "setuid_outside": {"EINVAL", "EPERM"}, "chroot": {"EPERM"}, "raise_nice": {"EPERM", "EACCES"},
    **dict.fromkeys(["socket_unix", "socket_inet", "socket_inet6", "mkfifo"], {"ok"}),
}

CAPABILITIES = sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 10))  # CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND
DEVICES = {"full", "null", "random", "tty", "urandom", "zero", "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr"}


def attempts(result):
    assert result["success"], result
    return dict(line.split() for line in result["output"].splitlines())


@pytest.fixture(scope="session")
def battery(server, probe):
    slot = Slot(server, "slot_0")
    slot.reset()
    slot.put("battery", probe("battery"))
    slot.output("chmod 755 battery")
    return attempts(slot.exec("/workspace/battery"))


@pytest.mark.parametrize("name", EXPECTED)
def test_row19_the_system_call_answers_as_the_policy_says(battery, name):
    assert battery[name] in EXPECTED[name]


def test_row19_the_table_and_the_battery_name_the_same(battery):
    assert set(battery) == set(EXPECTED)


@pytest.mark.parametrize("text", ["bwrap: No permissions to create new namespace", "no permissions to create new namespace",
                                  "unshare failed: Operation not permitted", "clone: EPERM user namespace", "isolation"])
@pytest.mark.parametrize("stream", ["1", "2"])
def test_row02_p43_a_command_that_prints_namespace_errors_is_an_ordinary_failure(slot, text, stream):
    result = slot.bash(f"echo run >> log; echo '{text}' >&{stream}; exit 1")
    assert (result["error"], result["metadata"]["cause"]) == ("Exit code: 1", "exit")
    assert result["metadata"]["sandboxed"] is True
    again = slot.bash("cat log; ls /root /home 2>&1 | wc -l")
    assert again["metadata"]["sandboxed"] is True and again["output"].splitlines()[0] == "run"


def test_row03_a_lost_keeper_is_cause_isolation_and_reset_mends_it(start):
    server = start(slots=2)
    slot, other = Slot(server, "slot_0"), Slot(server, "slot_1")
    children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent(pid) == server.process.pid]
    keepers = [pid for pid in children if _hostname_seen(pid) == "slot_0"] or children
    for pid in keepers:
        os.kill(pid, 9)
    wait_until(lambda: {one["state"] for one in server.wire.get("/slots").json()["slots"]} == {"error"}, 20, "the loss is noticed")
    assert server.wire.health()["status"] != "ok"
    result = slot.bash("id")
    assert result["success"] is False and result["metadata"]["cause"] == "isolation" and result["metadata"]["started"] is False, result
    for each in (slot, other):
        each.reset()
        assert each.output("echo mended") == "mended"
    assert server.wire.health()["status"] == "ok"


def _parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _hostname_seen(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/root/etc/hostname").read_text().strip()
    except OSError:
        return None


def test_row12_descriptors_are_exactly_three(slot):
    assert slot.exec("ls", "/proc/self/fd")["output"].split() == ["0", "1", "2", "3"]  # 3 is ls reading the directory
    seen = slot.python("import os, json, stat\n"
                       "print(json.dumps([stat.S_ISDIR(os.fstat(n).st_mode) for n in range(3)] + [os.path.exists(f'/proc/self/fd/{n}') for n in range(3, 200)]))")
    assert not any(seen[:3]) and sum(seen[3:]) == 0


@pytest.mark.parametrize("cwd", ["/proc/self/fd/0", "/proc/1/cwd", "/proc/1/root", "/proc/self/root/../..", "out", "/no/such", "file", "../../.."])
def test_row12_a_working_directory_leads_nowhere_outside(slot, cwd):
    slot.output("ln -s /proc/1/root out; touch file")
    result = slot.exec("sh", "-c", "pwd -P; ls", cwd=cwd)
    assert not result["success"] or "work" not in result["output"].split() or result["output"].startswith("/"), result
    assert "host-only" not in result["output"]


def test_row14_no_control_socket_is_reachable(slot):
    found = slot.output("find / -xdev -type s 2>/dev/null; find /run /var /tmp /workspace -type s 2>/dev/null; "
                        "for p in /var/run/docker.sock /run/docker.sock /run/containerd /run/dbus /run/systemd /var/run/nomad; do test -e $p && echo $p; done; true")
    assert found == ""
    assert slot.output("cat /proc/net/unix | tail -n +2") == ""


SENSITIVE = ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
             "/proc/sys/kernel/hostname", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent",
             "/sys/fs/cgroup/memory/release_agent", "/proc/irq/default_smp_affinity", "/proc/1/mem",
             "/proc/kcore", "/proc/kmsg", "/proc/sys/fs/binfmt_misc/register", "/sys/power/state", "/proc/acpi/wakeup"]


# What is covered by the null device may be opened: nothing is behind it.
OPEN_FOR_WRITING = """
import os, sys
try:
    found = os.fstat(os.open(sys.argv[1], os.O_WRONLY)).st_rdev
    print("covered" if found == os.makedev(1, 3) else "opened")
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("path", SENSITIVE)
def test_row15_the_machines_switches_cannot_be_opened_for_writing(slot, path):
    before = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    result = slot.exec("/usr/bin/python3", "-c",
                       OPEN_FOR_WRITING, path)
    assert result["success"] and "opened" not in result["output"], result
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_row15_a_command_cannot_lower_its_oom_score(slot):
    adj = slot.output("cat /proc/self/oom_score_adj; echo -1000 > /proc/self/oom_score_adj 2>/dev/null; cat /proc/self/oom_score_adj")
    before, after = map(int, adj.split())
    assert before == 500 and after >= 0
    assert slot.bash("echo -1000 > /proc/1/oom_score_adj")["success"] is False


def test_row16_dev_is_the_fixed_list(slot):
    assert set(slot.output("ls /dev").split()) <= DEVICES


@pytest.mark.parametrize("device", ["mem", "kmsg", "kvm", "fuse", "vda", "vdb", "sda", "nvidia0", "loop0", "port", "net/tun", "uinput"])
def test_row16_no_other_device_is_there(slot, device):
    assert "No such file" in slot.bash(f"cat < /dev/{device}")["output"]


def test_row16_shared_devices_cannot_be_changed(slot):
    result = slot.bash("chmod 600 /dev/null; chown 1 /dev/zero; rm -f /dev/full; mv /dev/tty /dev/x; ln -sf /x /dev/random; ls -l /dev/null | cut -c1-10; echo works > /dev/null && echo fine")
    assert result["output"].splitlines()[-1] == "fine" or "fine" in result["output"]
    assert "crw-rw-rw-" in result["output"]


def test_row17_posture_of_rights(slot):
    status = dict(line.split(":\t", 1) for line in slot.output("cat /proc/self/status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert int(status[name], 16) & ~CAPABILITIES == 0, (name, status[name])
    assert slot.output("id -u") == "0"


def test_row17_setuid_bits_have_no_effect(slot):
    out = slot.output("cp /usr/bin/id ./id; chmod 6755 ./id; chown 1000:1000 ./id 2>/dev/null; chmod 6755 ./id; ./id -u; ./id -ru")
    effective, real = out.split()[-2:]
    assert effective == real


def test_row17_mounts_forbid_setuid_and_devices(slot):
    for line in slot.output("cat /proc/self/mountinfo").splitlines():
        options = line.split()[5]
        if line.split()[4] in ("/workspace", "/tmp", "/dev/shm", "/proc"):
            assert "nosuid" in options and ("nodev" in options), line


def test_row18_namespaces_cannot_be_made_by_programs(slot):
    for command in ["unshare -Ur true", "unshare -m true", "unshare -n true", "unshare --pid --fork true",
                    "nsenter -t 1 -m true", "mount -t tmpfs x /mnt", "mount --bind / /mnt", "umount /proc", "umount -l /tmp"]:
        assert slot.bash(command)["success"] is False, command


@pytest.mark.parametrize("path", ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/kallsyms", "/proc/kmsg", "/proc/iomem",
                                  "/proc/sched_debug", "/proc/vmallocinfo", "/proc/slabinfo", "/sys/kernel/debug", "/sys/firmware/acpi",
                                  "/sys/class/powercap/intel-rapl", "/sys/kernel/security", "/proc/pagetypeinfo"])
def test_row20_the_kernels_secrets_are_covered(slot, path):
    shown = slot.exec("sh", "-c", f"head -c 4096 {path} 2>/dev/null | tr -d '\\0' | grep -v ' 0000000000000000 ' | head -3; ls -A {path}/ 2>/dev/null | head -3; true")["output"]
    significant = [line for line in shown.splitlines() if line.strip() and "0000000000000000" not in line and "00000000-00000000" not in line]
    assert not [line for line in significant if not line.startswith(path)], shown


def test_row20_mountinfo_names_no_place_of_the_host(server, slot):
    text = slot.output("cat /proc/self/mountinfo /proc/self/mounts")
    for place in [str(server.folder), str(server.data_dir), "berth-contract"]:
        assert place not in text, place


@pytest.mark.local_only("in a container the places are the image's own")
def test_row20_hidden_places_of_the_host_are_hidden(slot):
    for place in ["/root", "/home", "/srv", "/mnt", "/media", "/boot", "/opt", "/var/lib", "/var/log", "/work"]:
        assert slot.output(f"ls -A {place} 2>/dev/null | head -5; true") == "", place
    assert slot.bash("cat /etc/shadow")["success"] is False or "root:" not in slot.output("cat /etc/shadow")
    assert slot.output("ls /tmp") == ""


def test_row20_the_hosts_canary_file_is_not_to_be_found(slot, tmp_path):
    (tmp_path / "berth-canary").write_text("secret")
    assert slot.output("find / -name berth-canary 2>/dev/null | head -1; true") == ""


def test_row21_the_posture_is_the_committed_one(server, slot):
    posture = slot.python("""
import json, os, resource
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
print(json.dumps({
  'threads': status['Threads'], 'umask': status['Umask'], 'groups': os.getgroups(), 'uid': os.getresuid(), 'gid': os.getresgid(),
  'cwd': os.getcwd(), 'env': sorted(os.environ), 'core': resource.getrlimit(resource.RLIMIT_CORE)[0], 'session': os.getsid(0) == os.getpid(),
  'group': os.getpgid(0) == os.getpid(), 'signals': [status['SigBlk'], status['SigIgn']], 'namespaces': {n: os.readlink('/proc/self/ns/' + n) for n in os.listdir('/proc/self/ns')}}))
""")
    assert posture["umask"] == "0022" and posture["cwd"] == "/workspace"
    assert posture["uid"] == [0, 0, 0] and posture["gid"] == [0, 0, 0]
    assert set(posture["groups"]) <= {0, 65534}
    assert set(posture["env"]) <= {"PATH", "LANG", "HOME", "TMPDIR", "BERTH_EXECUTION", "BERTH_TRAJECTORY", "LC_CTYPE"}
    assert posture["session"] and posture["group"]
    assert [int(mask, 16) for mask in posture["signals"]] in ([0, 0], [0, 1 << 12], [0, (1 << 12) | (1 << 24)]), posture["signals"]
    host = {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}
    for name in ("user", "mnt", "pid", "ipc", "uts", "net"):
        assert posture["namespaces"][name] != host[name], name


def test_row21_every_process_of_a_slot_has_the_posture(slot):
    seen = slot.output("for p in /proc/[0-9]*; do grep -H -E 'NoNewPrivs|^Seccomp:' $p/status; done | awk '{print $2}' | sort | uniq -c | awk '{print $2}' | tr '\\n' ' '")
    assert seen.split() == ["1", "2"], "each shows no_new_privs 1 and filter mode 2"


def test_health_says_what_is_in_force(server):
    isolation = server.wire.health()["isolation"]
    assert {"user_namespace", "mount_namespace", "pid_namespace", "ipc_namespace", "uts_namespace", "network_namespace",
            "private_root", "seccomp", "no_new_privs", "capabilities", "disk_limit"} <= set(isolation["in_force"])
    assert isolation["level"] == "strict"
