// SPDX-License-Identifier: Apache-2.0
#include "isolation/probe_child.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <net/if.h>

namespace berth::isolation {
namespace {

// The one directory that is there in every image; what is mounted on it here is seen by this process only.
constexpr const char* kStage = "/proc";

int result_of(long returned) {
  return returned < 0 ? errno : 0;
}

struct Received {
  bool order_came = false;
  ProbeOrder order;
  int idmapped_mount = -1;
};

Received receive_order(int socket) {
  Received received;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{&received.order, sizeof received.order};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  received.order_came = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == static_cast<ssize_t>(sizeof received.order);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&received.idmapped_mount, CMSG_DATA(header), sizeof(int));
  }
  return received;
}

int become_root() {
  if (::syscall(SYS_setresgid, 0, 0, 0) != 0) return errno;
  return result_of(::syscall(SYS_setresuid, 0, 0, 0));
}

int make_stage() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  if (::mount("probe", kStage, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0) return errno;
  if (::chdir(kStage) != 0) return errno;
  for (const char* name : {"proc", "merged", "lower", "lower/d", "idmapped", "u1", "w1", "u2", "w2", "u3", "w3"}) {
    if (::mkdir(name, 0755) != 0) return errno;
  }
  return result_of(::mknod("lower/d/f", S_IFREG | 0644, 0));
}

// Upper and work directories serve once.
int mount_overlay(const char* options) {
  ::umount2("merged", MNT_DETACH);
  return result_of(::mount("probe", "merged", "overlay", 0, options));
}

int try_overlay_over_system() {
  struct stat found {};
  constexpr const char* kOverOwn = "userxattr,lowerdir=lower,upperdir=u1,workdir=w1";
  if (::stat("/usr", &found) != 0) return mount_overlay(kOverOwn);
  const int error = mount_overlay("userxattr,lowerdir=/usr,upperdir=u1,workdir=w1");
  // Something is mounted in it: layouts take a copy of such a directory.
  return error == EINVAL ? mount_overlay(kOverOwn) : error;
}

int try_loopback() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const int error = result_of(::ioctl(fd, SIOCSIFFLAGS, &request));
  ::close(fd);
  return error;
}

int try_removal() {
  if (int error = mount_overlay("userxattr,lowerdir=lower,upperdir=u2,workdir=w2"); error != 0) return error;
  if (::unlink("merged/d/f") != 0) return errno;
  return result_of(::rmdir("merged/d"));
}

int try_idmapped(int mount_fd) {
  if (mount_fd < 0) return -1;
  if (::syscall(SYS_move_mount, mount_fd, "", AT_FDCWD, "idmapped", MOVE_MOUNT_F_EMPTY_PATH) != 0) return errno;
  if (int error = mount_overlay("userxattr,lowerdir=idmapped,upperdir=u3,workdir=w3"); error != 0) return error;
  struct stat found {};
  if (::stat("merged", &found) != 0) return errno;
  if (found.st_uid != 0 || found.st_gid != 0) return EOVERFLOW;
  return result_of(::mkdir("merged/berth-probe", 0755));
}

int try_leaving() {
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return errno;
  return result_of(::umount2(".", MNT_DETACH));
}

int try_seccomp() {
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{1, &allow};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return result_of(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

ProbeFindings try_all(const Received& received) {
  ProbeFindings findings;
  findings.fill(-1);
  const auto note = [&](ProbeStep step, int error) {
    findings[static_cast<std::size_t>(step)] = error;
    return error == 0;
  };
  if (received.order.become_root && !note(ProbeStep::ids, become_root())) return findings;
  if (note(ProbeStep::mounts, make_stage())) {
    note(ProbeStep::proc, result_of(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr)));
    note(ProbeStep::overlay, try_overlay_over_system());
    note(ProbeStep::removal, try_removal());
    note(ProbeStep::idmapped, try_idmapped(received.idmapped_mount));
  }
  note(ProbeStep::loopback, try_loopback());
  note(ProbeStep::hostname, result_of(::sethostname("probe", 5)));
  if (findings[static_cast<std::size_t>(ProbeStep::mounts)] == 0) note(ProbeStep::leaving, try_leaving());
  note(ProbeStep::seccomp, try_seccomp());
  return findings;
}

}  // namespace

void run_probe_child(int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const Received received = receive_order(socket);
  if (received.order_came) {
    const ProbeFindings findings = try_all(received);
    if (::send(socket, findings.data(), sizeof findings, MSG_NOSIGNAL) < 0) ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace berth::isolation
