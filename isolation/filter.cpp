// SPDX-License-Identifier: Apache-2.0
#include "isolation/filter.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <seccomp.h>
#include <string>

#include "base/fd.hpp"

namespace berth::isolation {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffff;
constexpr unsigned kTiocsti = 0x5412;
constexpr unsigned kTioclinux = 0x541c;
constexpr unsigned kLastFamily = 63;  // the kernel itself refuses families past its own last one (45 in 6.18)

struct Denied {
  std::string_view name;
  int number = -1;
};

// Mounts and namespaces; kernel interfaces with a history of holes; the machine's own state.
constexpr Denied kDenied[] = {
    {"mount"},
    {"umount"},
    {"umount2"},
    {"pivot_root"},
    {"fsopen"},
    {"fsconfig"},
    {"fsmount"},
    {"fspick"},
    {"open_tree"},
    {"open_tree_attr", 467},
    {"move_mount"},
    {"mount_setattr"},
    {"unshare"},
    {"setns"},
    {"open_by_handle_at"},
    {"bpf"},
    {"perf_event_open"},
    {"userfaultfd"},
    {"io_uring_setup"},
    {"io_uring_enter"},
    {"io_uring_register"},
    {"keyctl"},
    {"add_key"},
    {"request_key"},
    {"kexec_load"},
    {"kexec_file_load"},
    {"init_module"},
    {"finit_module"},
    {"delete_module"},
    {"create_module"},
    {"fanotify_init"},
    {"syslog"},
    {"quotactl"},
    {"quotactl_fd"},
    {"swapon"},
    {"swapoff"},
    {"reboot"},
    {"acct"},
    {"clock_settime"},
    {"settimeofday"},
    {"mbind"},
    {"move_pages"},
    {"migrate_pages"},
    {"lookup_dcookie"},
    {"nfsservctl"},
    {"vhangup"},
    {"iopl"},
    {"ioperm"},
    {"uselib"},
    {"vm86"},
};

// Everything but CLONE_NEWUTS and CLONE_NEWNET.
constexpr std::uint64_t kDeniedCloneFlags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWCGROUP};

constexpr bool allowed_family(unsigned family) {
  return family == AF_UNSPEC || family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

std::vector<FilterRule> make_rules() {
  std::vector<FilterRule> rules;
  for (const auto& denied : kDenied) rules.push_back({denied.name, std::nullopt, EPERM, denied.number});
  rules.push_back({"clone3", std::nullopt, ENOSYS});  // its flags lie in memory; libc falls back to clone
  for (auto flag : kDeniedCloneFlags) rules.push_back({"clone", ArgumentRule{0, flag, flag}, EPERM});
  rules.push_back({"ioctl", ArgumentRule{1, kLow32, kTiocsti}, EPERM});
  rules.push_back({"ioctl", ArgumentRule{1, kLow32, kTioclinux}, EPERM});
  for (unsigned family = 0; family <= kLastFamily; ++family) {
    if (!allowed_family(family)) rules.push_back({"socket", ArgumentRule{0, kLow32, family}, EAFNOSUPPORT});
  }
  return rules;
}

struct ContextDeleter {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ContextDeleter>;

// Negative results of libseccomp are errno values.
Expected<void> check(int result, std::string_view what) {
  if (result >= 0) return {};
  return fail("isolation", "building the seccomp filter: " + errno_error(what, -result).message);
}

Expected<void> add_rule(void* context, const FilterRule& rule) {
  int number = seccomp_syscall_resolve_name(std::string(rule.syscall).c_str());
  if (number == __NR_SCMP_ERROR) number = rule.number;
  if (number == __NR_SCMP_ERROR)
    return fail("isolation", "unknown system call in the filter: " + std::string(rule.syscall));
  if (number < 0) return {};  // does not exist on this architecture
  const auto action = SCMP_ACT_ERRNO(static_cast<std::uint32_t>(rule.error_number));
  if (!rule.argument) return check(seccomp_rule_add(context, action, number, 0), rule.syscall);
  const scmp_arg_cmp compare{rule.argument->index, SCMP_CMP_MASKED_EQ, rule.argument->mask, rule.argument->value};
  return check(seccomp_rule_add_array(context, action, number, 1, &compare), rule.syscall);
}

Expected<std::vector<sock_filter>> export_program(void* context) {
  auto pipe = make_pipe();  // the program is far smaller than what a pipe holds
  if (!pipe) return tl::unexpected(pipe.error());
  if (auto done = check(seccomp_export_bpf(context, pipe->write.get()), "export"); !done) {
    return tl::unexpected(done.error());
  }
  pipe->write.reset();
  auto bytes = read_all(pipe->read.get(), sizeof(sock_filter) * BPF_MAXINSNS);
  if (!bytes) return tl::unexpected(bytes.error());
  std::vector<sock_filter> program(bytes->size() / sizeof(sock_filter));
  bytes->copy(reinterpret_cast<char*>(program.data()), program.size() * sizeof(sock_filter));
  return program;
}

}  // namespace

const std::vector<FilterRule>& filter_rules() {
  static const std::vector<FilterRule> rules = make_rules();
  return rules;
}

Expected<std::vector<sock_filter>> compile_filter() {
  const Context context(seccomp_init(SCMP_ACT_ALLOW));
  if (!context) return fail("isolation", "building the seccomp filter: libseccomp does not know this architecture");
  auto done = check(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)), "foreign calls");
  if (done) done = check(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimization");
  for (const auto& rule : filter_rules()) {
    if (done) done = add_rule(context.get(), rule);
  }
  if (!done) return tl::unexpected(done.error());
  return export_program(context.get());
}

}  // namespace berth::isolation
