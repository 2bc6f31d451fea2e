// SPDX-License-Identifier: Apache-2.0
// Ways out of a slot: rows 7, 12, 15, 16, 17, 18, 19 and 20 of the threat table.
#include <unistd.h>

#include <algorithm>
#include <gmock/gmock.h>
#include <string>

#include "fault_support.hpp"
#include "isolation/keeper/capabilities.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

class Escape : public FaultTest {};

// Row 7.
TEST_F(Escape, SeesAndSignalsOnlyItsOwnProcesses) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, "print(others())"), "[]");
    EXPECT_EQ(printed(room, R"py(
reached = [pid for pid in range(2, 70000) if pid != os.getpid() and attempt(os.kill, pid, 0) != 'ESRCH']
print(reached)
)py"),
              "[]");
    EXPECT_EQ(printed(room, "print(attempt(os.kill, 1, 9)); print(os.path.exists('/proc/1'))"), "ok\nTrue")
        << "the signal is sent and ignored";
  });
}

// Row 7.
TEST_F(Escape, LooksIntoTheKeeperInVain) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, R"py(
for entry in ('exe', 'root', 'cwd', 'fd/3'): print(entry, attempt(os.readlink, '/proc/1/' + entry))
for entry in ('mem', 'environ', 'maps', 'fd/3'): print(entry, attempt(os.open, '/proc/1/' + entry, os.O_RDONLY))
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
print('attach', call(101, PTRACE_ATTACH, 1, 0, 0), call(101, PTRACE_SEIZE, 1, 0, 0))
buffer = ctypes.create_string_buffer(16)
vector = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 16)
print('process_vm', call(310, 1, ctypes.addressof(vector), 1, ctypes.addressof(vector), 1, 0))
)py"),
              "exe EACCES\nroot EACCES\ncwd EACCES\nfd/3 EACCES\nmem EACCES\nenviron EACCES\nmaps EACCES\nfd/3 EACCES\n"
              "attach EPERM EPERM\nprocess_vm EPERM");
  });
}

// Row 7.
TEST_F(Escape, TracesItsOwnChildren) {
  auto room = make_room();
  ASSERT_TRUE(room);
  EXPECT_EQ(printed(*room, R"py(
child = os.fork()
if child == 0:
    import signal
    signal.pause()
print(call(101, 0x4206, child, 0, 0))
os.kill(child, 9)
)py"),
            "ok");
}

// Row 12.
TEST_F(Escape, HoldsNoDescriptorButTheThree) {
  as_both([](Harness& room) {
    EXPECT_EQ(room.sh("ls /proc/self/fd").out, "0\n1\n2\n3\n") << "3 is the listing itself";
    EXPECT_EQ(room.sh("for n in /proc/self/fd/*; do test -d $n && echo $n; done; true").out, "");
  });
}

// Row 12.
TEST_F(Escape, AWorkingDirectoryBehindALinkStaysInTheSlot) {
  as_both([](Harness& room) {
    ASSERT_EQ(room.sh("ln -s / slash; ln -s /proc/1/root keeper; ln -s /proc/self/fd/0 input").exit_code(), 0);
    auto command = shell("ls");
    command.cwd = "/workspace/slash";
    const auto inside = room.run(command);
    EXPECT_THAT(inside.out, AnyOf("", HasSubstr("workspace"))) << "the slot's own / or nothing";
    for (const char* link : {"/workspace/keeper", "/workspace/input", "/proc/1/cwd", "/nowhere"}) {
      command.cwd = link;
      const auto outcome = room.run(command);
      ASSERT_TRUE(outcome.failed) << link << ' ' << outcome.out;
      EXPECT_EQ(outcome.failed->step, "cwd");
    }
  });
}

// Row 15.
TEST_F(Escape, CannotSetWhatTheMachineRuns) {
  const auto pattern = read_file("/proc/sys/kernel/core_pattern");
  as_both([](Harness& room) {
    EXPECT_THAT(printed(room, R"py(
for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/kernel/hostname',
             '/proc/sys/kernel/unprivileged_bpf_disabled', '/proc/sys/vm/overcommit_memory', '/proc/sysrq-trigger',
             '/proc/sys/fs/binfmt_misc/register', '/sys/kernel/uevent_helper',
             '/sys/fs/cgroup/release_agent', '/sys/fs/cgroup/memory/release_agent', '/proc/irq/default_smp_affinity'):
    result = attempt(write, path, 'x')
    if result not in ('EROFS', 'EACCES', 'EPERM', 'ENOENT'): print(path, result)
)py"),
                "");
    EXPECT_EQ(printed(room, "print(os.listdir('/sys'))"), "[]");
    EXPECT_THAT(printed(room, "print(attempt(write, '/proc/self/oom_score_adj', '-1'))"), AnyOf("EACCES", "EPERM"));
    EXPECT_EQ(printed(room, "print(read('/proc/self/oom_score_adj').strip())"), "500");
  });
  EXPECT_EQ(read_file("/proc/sys/kernel/core_pattern").value_or(""), pattern.value_or(""));
}

// Row 16.
TEST_F(Escape, HasTheFixedListOfDevicesAndMakesNone) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, "print(*sorted(os.listdir('/dev')))"),
              "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero");
    EXPECT_EQ(printed(room, R"py(
import stat
for kind in (stat.S_IFCHR, stat.S_IFBLK): print(attempt(os.mknod, '/workspace/device', kind | 0o666, os.makedev(1, 1)))
for device in ('mem', 'kmsg', 'kvm', 'fuse', 'vda', 'sda', 'nvidia0', 'net/tun', 'mapper/control', 'loop-control'):
    result = attempt(os.open, '/dev/' + device, os.O_RDONLY)
    if result != 'ENOENT': print(device, result)
for device in ('null', 'zero', 'full', 'random', 'urandom'):
    for change in (lambda p: os.chmod(p, 0o600), lambda p: os.chown(p, 0, 0), lambda p: os.utime(p), os.unlink):
        result = attempt(change, '/dev/' + device)
        if result not in ('EROFS', 'EPERM', 'EBUSY', 'EACCES'): print(device, result)
write('/dev/null', 'data flows')
)py"),
              "EPERM\nEPERM");
  });
}

// Row 17.
TEST_F(Escape, GainsNothingBySetuidAndFileCapabilities) {
  as_both([](Harness& room) {
    EXPECT_EQ(room.sh("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t '").out,
              "NoNewPrivs:1\nSeccomp:2\n");
    const auto mask = std::to_string(kept_capability_mask());
    EXPECT_EQ(printed(room, "mask = " + mask + R"py(
status = dict(line.split(':\t') for line in read('/proc/self/status').splitlines() if ':\t' in line)
print([field for field in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb') if int(status[field], 16) & ~mask])
)py"),
              "[]");
    EXPECT_EQ(printed(room, R"py(
import shutil, struct, subprocess
shutil.copy('/usr/bin/id', '/workspace/id')
os.chmod('/workspace/id', 0o6755)
CAP_SYS_ADMIN = struct.pack('<IIIII', 0x02000001, 1 << 21, 0, 0, 0)
print('file capability:', attempt(os.setxattr, '/workspace/id', 'security.capability', CAP_SYS_ADMIN) != 'ok')
child = os.fork()
if child == 0:
    if attempt(os.setresuid, 1000, 1000, 1000) != 'ok': os._exit(0)   # one mapped id: nothing to become
    os._exit(0 if subprocess.check_output(['/workspace/id', '-u']) == b'1000\n' else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
)py"),
              "file capability: True\n0");
  });
}

// Rows 18 and 19; the whole table, argument by argument, is in filter_kernel_test.cpp.
TEST_F(Escape, MakesNoNamespacesAndMountsNothing) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, R"py(
CLONE, UNSHARE, SETNS, MOUNT, UMOUNT, PIVOT, HANDLE, SIGCHLD = 56, 272, 308, 165, 166, 155, 304, 17
def clone(flags):
    result = libc.syscall(CLONE, flags | SIGCHLD, 0, 0, 0, 0)
    if result == 0: os._exit(0)
    return 'made' if result > 0 else name(ctypes.get_errno())
for flags in (0x10000000, 0x20000, 0x20000000, 0x8000000, 0x2000000, 0x4000000, 0x40000000): print(clone(flags), end=' ')
for flags in (0x10000000, 0x20000, 0x40000000, 0x400): print(call(UNSHARE, flags), end=' ')
print(call(SETNS, 0, 0), call(MOUNT, 0, 0, 0, 0, 0), call(UMOUNT, 0, 2), call(PIVOT, 0, 0), call(HANDLE, -1, 0, 0))
)py"),
              "EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM");
    EXPECT_NE(room.sh("unshare -Ur true").exit_code(), 0);
    EXPECT_EQ(printed(room, "print(attempt(os.chroot, '/'))"), "EPERM") << "CAP_SYS_CHROOT is not kept";
  });
}

// Row 19.
TEST_F(Escape, ReachesNoSocketFamilyBeyondTheList) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, R"py(
import socket
print(sorted(f for f in range(0, 64) if attempt(socket.socket, f, socket.SOCK_DGRAM, 0) == 'ok'))
print(attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1), attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 3))
)py"),
              "[1, 2, 10, 16]\nEPERM EAFNOSUPPORT");
  });
}

// Row 20.
TEST_F(Escape, ReadsNothingAboutTheMachine) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, R"py(
for path in ('kallsyms', 'kcore', 'keys', 'key-users', 'timer_list', 'kmsg', 'iomem', 'ioports', 'slabinfo',
             'vmallocinfo', 'pagetypeinfo', 'modules', 'sched_debug', 'interrupts'):
    try: text = open('/proc/' + path, 'rb').read(64)
    except OSError: continue
    if text: print(path, text)
for path in ('/sys/firmware', '/sys/kernel/debug', '/sys/kernel/security', '/sys/class/powercap', '/sys/fs/cgroup'):
    if attempt(os.listdir, path) != 'ENOENT': print(path)
print(call(103, 3, 0, 0))
)py"),
              "EPERM")
        << "last: syslog(2)";
    const auto mounts = room.sh("cat /proc/self/mountinfo").out;
    EXPECT_THAT(mounts, Not(HasSubstr("/work/"))) << "no path of the machine";
    EXPECT_THAT(mounts, Not(HasSubstr("berth-room-")));
    EXPECT_THAT(room.sh("cat /proc/self/cgroup; cat /proc/net/unix").out, Not(HasSubstr("berth-room-")));
  });
}

// Row 20 and the local driver's promise: /usr and a minimal /etc, nothing else of the machine.
TEST_F(Escape, SeesNoFileOfTheMachineBeyondItsSystem) {
  as_both([](Harness& room) {
    for (const char* path : {"/root", "/home", "/srv", "/mnt", "/tmp", "/var/lib", "/opt", "/workspace"}) {
      EXPECT_EQ(room.sh(std::string("ls -A ") + path).out, "") << path;
    }
    for (const char* path :
         {"/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/ssl/private", "/etc/machine-id"}) {
      EXPECT_NE(room.sh(std::string("test -e ") + path).exit_code(), 0) << path;
    }
    EXPECT_EQ(room.sh("find / -xdev -maxdepth 1 -name 'old*' -o -maxdepth 1 -name '.*' ! -name .").out, "");
  });
}

}  // namespace
}  // namespace berth::isolation::test
