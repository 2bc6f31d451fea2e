// SPDX-License-Identifier: Apache-2.0
// Given up once, on the keeper: every command inherits it, so that starting one costs nothing more. The keeper's own
// permitted set stays (it makes uts namespaces and signals every process of the slot); an exec as root gets the
// bounding set only.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/keeper/capabilities.hpp"
#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr int kLastCapability = 63;
constexpr rlim_t kOpenFiles = 4096;
constexpr rlim_t kMostOpenFiles = 524288;

void limit(int resource, rlim_t soft, rlim_t hard) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &now) != 0) die("reading a limit");
  const rlim_t top = hard < now.rlim_max ? hard : now.rlim_max;
  const rlimit wanted{soft < top ? soft : top, top};
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &wanted) != 0) die("setting a limit");
}

void drop_bounding_set() {
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    if (((isolation::kept_capability_mask() >> capability) & 1) != 0) continue;
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;  // unknown to this kernel, or gone
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) die("reducing the bounding set");
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

bool bounding_set_is_reduced() {
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    const bool kept = ((isolation::kept_capability_mask() >> capability) & 1) != 0;
    if (!kept && ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) return false;
  }
  return true;
}

void install_filter(const Description& description) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(description.fixed.filter_length);
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(description.filter));
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) die("installing the seccomp filter");
}

}  // namespace

void set_limits(const Description& description) {
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_NOFILE, kOpenFiles, kMostOpenFiles);
  if (description.fixed.data_bytes != protocol::kNoLimit) {
    limit(RLIMIT_DATA, description.fixed.data_bytes, description.fixed.data_bytes);
  }
  if (description.fixed.processes != protocol::kNoLimit) {
    limit(RLIMIT_NPROC, description.fixed.processes, description.fixed.processes);
  }
}

void drop_privileges(const Description& description) {
  if (in_force(Measure::capabilities)) drop_bounding_set();
  if (in_force(Measure::no_new_privs) && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
  if (in_force(Measure::seccomp)) install_filter(description);
}

std::uint64_t confirmed_measures() {
  std::uint64_t confirmed = state.measures;
  const auto check = [&confirmed](Measure measure, bool holds) {
    if (!holds) confirmed &= ~(std::uint64_t{1} << static_cast<unsigned>(measure));
  };
  check(Measure::capabilities, bounding_set_is_reduced());
  check(Measure::no_new_privs, ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  check(Measure::seccomp, ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER);
  check(Measure::hidden_keeper, ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
  check(Measure::pid_namespace, ::getpid() == 1);
  return confirmed;
}

}  // namespace berth::keeper
