// SPDX-License-Identifier: Apache-2.0
#include "isolation/probe.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "isolation/probe_child.hpp"
#include "isolation/refusals.hpp"

namespace berth::isolation {
namespace {

constexpr int kChildDeadlineMs = 2000;
constexpr int kNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
constexpr std::uint32_t kShiftedBase = 200000;  // any range that is not the machine's own users' serves for the try
constexpr std::uint32_t kManyIds = 65536;

// A child in its own namespaces; killed and reaped at the end.
class Child {
 public:
  // The error number of clone where it fails.
  static tl::expected<Child, int> start(int clone_flags) {
    auto sockets = make_seqpacket_pair();
    if (!sockets) return tl::unexpected(EMFILE);
    const long pid = ::syscall(SYS_clone, clone_flags | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) return tl::unexpected(errno);
    if (pid == 0) {
      sockets->read.reset();
      run_probe_child(sockets->write.get());
    }
    return Child(static_cast<pid_t>(pid), std::move(sockets->read));
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  [[nodiscard]] std::string proc_path(std::string_view name) const {
    return "/proc/" + std::to_string(pid_) + "/" + std::string(name);
  }

  // Sends the order and waits for the findings; nothing when the child dies or takes too long.
  std::optional<ProbeFindings> ask(ProbeOrder order, int idmapped_mount) {
    if (!send_order(order, idmapped_mount)) return std::nullopt;
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kChildDeadlineMs) != 1) return std::nullopt;
    ProbeFindings findings;
    if (::recv(socket_.get(), findings.data(), sizeof findings, MSG_DONTWAIT) != sizeof findings) return std::nullopt;
    return findings;
  }

 private:
  Child(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  bool send_order(ProbeOrder order, int fd) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec data{&order, sizeof order};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      *header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) > 0;
  }

  pid_t pid_;
  UniqueFd socket_;
};

bool has_sys_admin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

bool write_existing(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool write_map(const Child& child, std::uint32_t outside_uid, std::uint32_t outside_gid, std::uint32_t count) {
  const auto line = [&](std::uint32_t outside) { return "0 " + std::to_string(outside) + " " + std::to_string(count); };
  return write_existing(child.proc_path("uid_map"), line(outside_uid)) &&
         write_existing(child.proc_path("gid_map"), line(outside_gid));
}

enum class Ids : std::uint8_t { none, one, container, shifted };

// A map can be written once, and a refused one does not count: so from the best to the least.
Ids write_best_map(const Child& child, const Abilities& known) {
  if (known.is_root && write_map(child, kShiftedBase, kShiftedBase, kManyIds)) return Ids::shifted;
  if (known.root_user && write_map(child, 0, 0, kManyIds)) return Ids::container;
  if (!write_existing(child.proc_path("setgroups"), "deny")) return Ids::none;
  return write_map(child, ::geteuid(), ::getegid(), 1) ? Ids::one : Ids::none;
}

UniqueFd make_idmapped_usr(const Child& child) {
  const UniqueFd users(::open(child.proc_path("ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  UniqueFd tree(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!users || !tree) return {};
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(users.get());
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) return {};
  return tree;
}

std::string why_no_stage(const std::optional<ProbeFindings>& findings, Ids ids) {
  if (ids == Ids::none) {
    return std::string("no user id can be mapped into a user namespace") +
           (::geteuid() == 0 ? " (root needs CAP_SETUID, CAP_SETGID and CAP_SETFCAP for that)" : "");
  }
  if (!findings) return "a process in a user namespace did not answer";
  constexpr struct {
    ProbeStep step;
    std::string_view what;
  } kNeeded[] = {{ProbeStep::ids, "changing ids is"},
                 {ProbeStep::mounts, "mounts are"},
                 {ProbeStep::hostname, "a host name is"},
                 {ProbeStep::leaving, "pivot_root or umount2 is"}};
  for (const auto& needed : kNeeded) {
    const int error = (*findings)[static_cast<std::size_t>(needed.step)];
    if (error == 0) continue;
    return why_useless_namespace(needed.what, error, read_security_facts());
  }
  return {};
}

bool worked(const std::optional<ProbeFindings>& findings, ProbeStep step) {
  return findings && (*findings)[static_cast<std::size_t>(step)] == 0;
}

void probe_rung_two(Abilities& abilities) {
  if (!abilities.root_user || !has_sys_admin()) return;
  auto child = Child::start(kNamespaces);
  if (!child) return;
  const auto findings = child->ask({.become_root = false}, -1);
  abilities.is_root = worked(findings, ProbeStep::mounts) && worked(findings, ProbeStep::proc);
  abilities.loopback = worked(findings, ProbeStep::loopback);
  abilities.seccomp = worked(findings, ProbeStep::seccomp);
}

void probe_rung_one(Abilities& abilities) {
  auto child = Child::start(kNamespaces | CLONE_NEWUSER);
  if (!child) {
    abilities.why_no_user_namespaces = why_no_namespace(child.error(), read_security_facts());
    return;
  }
  const Ids ids = write_best_map(*child, abilities);
  const UniqueFd usr = ids == Ids::shifted ? make_idmapped_usr(*child) : UniqueFd();
  const auto findings = ids == Ids::none ? std::nullopt : child->ask({.become_root = true}, usr.get());
  abilities.why_no_user_namespaces = why_no_stage(findings, ids);
  abilities.user_namespaces = abilities.why_no_user_namespaces.empty();
  if (!abilities.user_namespaces) return;
  abilities.many_ids = ids == Ids::container || ids == Ids::shifted;
  abilities.fresh_proc = worked(findings, ProbeStep::proc);
  if (!abilities.fresh_proc) {
    abilities.why_no_fresh_proc = errno_error("a new /proc is refused while parts of the container's are covered",
                                              (*findings)[static_cast<std::size_t>(ProbeStep::proc)])
                                      .message;
  }
  abilities.overlay_in_user_namespace = worked(findings, ProbeStep::overlay);
  abilities.removable_lower_dirs = worked(findings, ProbeStep::removal);
  abilities.idmapped_mounts = worked(findings, ProbeStep::idmapped);
  abilities.seccomp = worked(findings, ProbeStep::seccomp);
}

}  // namespace

Abilities probe_abilities() {
  Abilities abilities;
  abilities.root_user = ::geteuid() == 0;
  probe_rung_two(abilities);
  probe_rung_one(abilities);
  return abilities;
}

}  // namespace berth::isolation
