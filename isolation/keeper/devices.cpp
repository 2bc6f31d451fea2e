// SPDX-License-Identifier: Apache-2.0
// /dev: a fixed list of devices that are bound read-only (data still flows; owner, mode and times cannot change), a
// terminal multiplexer of the slot's own, shared memory on the slot's disk. /proc: the slot's own, with what reaches
// into the machine made read-only or covered.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <net/if.h>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr struct {
  const char* name;
  const char* target;
} kLinks[] = {{"fd", "/proc/self/fd"},
              {"stdin", "/proc/self/fd/0"},
              {"stdout", "/proc/self/fd/1"},
              {"stderr", "/proc/self/fd/2"},
              {"ptmx", "pts/ptmx"}};
constexpr const char* kReadOnly[] = {"sys", "bus", "fs", "irq", "sysrq-trigger"};
constexpr const char* kCovered[] = {
    "keys",       "key-users",   "kcore",         "timer_list", "kallsyms",    "kmsg",         "iomem",
    "ioports",    "sched_debug", "latency_stats", "slabinfo",   "vmallocinfo", "pagetypeinfo", "kpagecount",
    "kpageflags", "kpagecgroup", "mtrr",          "interrupts", "vmcore",      "modules",      "timer_stats"};
constexpr const char* kEmptied[] = {"acpi", "asound", "scsi", "driver", "pressure", "tty/driver"};

void bind_device(const char* name) {
  const Path source("/dev/", name);
  const Path target("root/dev/", name);
  struct stat info {};
  // An image may have put a link or a file there.
  if (::lstat(source, &info) != 0 || !S_ISCHR(info.st_mode) || major(info.st_rdev) > 5) {
    errno = ENXIO;
    die(Path("no such device: ", source));
  }
  const int file = ::open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0) die(Path("making ", target));
  ::close(file);
  bind(source, target, false);
  restrict_mount(target, MS_RDONLY | MS_NOSUID | MS_NOEXEC);
}

void make_terminals() {
  make_directory("root/dev/pts", 0755);
  const unsigned long flags = MS_NOSUID | MS_NOEXEC;
  // The machine has a few thousand terminals for all; `max` keeps one slot from taking them away from the others.
  if (::mount("devpts", "root/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620,max=128,gid=5") == 0)
    return;
  // With one mapped id there is no group 5.
  if (::mount("devpts", "root/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620,max=128") != 0) {
    die("mounting devpts");
  }
}

void cover(const char* name) {
  const Path target("root/proc/", name);
  if (::access(target, F_OK) != 0) return;
  // The slot's own /dev/null is read-only already, and a copy of its mount stays so.
  bind("root/dev/null", target, false);
  if (!in_force(Measure::minimal_dev)) restrict_mount(target, MS_RDONLY | MS_NOSUID | MS_NOEXEC);
}

void empty(const char* name) {
  const Path target("root/proc/", name);
  if (::access(target, F_OK) != 0) return;
  bind("e", target, false);
  restrict_mount(target, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

void freeze(const char* name) {
  const Path target("root/proc/", name);
  if (::access(target, F_OK) != 0) return;
  bind(target, target, true);
  restrict_mount(target, MS_RDONLY);
}

}  // namespace

void make_devices() {
  if (!in_force(Measure::minimal_dev)) {
    make_directory("root/dev", 0755);
    return bind("/dev", "root/dev", true);
  }
  make_directory("root/dev", 0755);
  for (const char* name : kDevices) bind_device(name);
  for (const auto& link : kLinks) {
    if (::symlink(link.target, Path("root/dev/", link.name)) != 0) die("linking in /dev");
  }
  make_terminals();
  make_directory("root/dev/shm", 01777);
}

void make_proc() {
  make_directory("root/proc", 0555);
  if (in_force(Measure::fresh_proc)) {
    if (::mount("proc", "root/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) die("mounting proc");
  } else {
    bind("/proc", "root/proc", true);
  }
  if (!in_force(Measure::masked_proc)) return;
  make_directory("e", 0555);
  for (const char* name : kReadOnly) freeze(name);
  for (const char* name : kCovered) cover(name);
  for (const char* name : kEmptied) empty(name);
}

// In a vfork child errors must be reported in another way than while building.
void raise_loopback(void (*failed)(const char* step)) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ::ioctl(fd, SIOCSIFFLAGS, &request) != 0) failed("loopback");
  ::close(fd);
}

}  // namespace berth::keeper
