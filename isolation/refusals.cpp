// SPDX-License-Identifier: Apache-2.0
#include "isolation/refusals.hpp"

#include <cerrno>
#include <optional>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "berth/error.hpp"

namespace berth::isolation {
namespace {

constexpr std::size_t kMostFact = 256;
constexpr std::string_view kEnforced = " (enforce)";

std::string fact_in(const char* path) {
  const auto text = read_file(path, kMostFact);
  return text ? std::string(trim(*text)) : std::string();
}

// Kernels before 5.8 have only the second, which other security modules use as well.
std::string own_profile() {
  std::string profile = fact_in("/proc/self/attr/apparmor/current");
  if (!profile.empty()) return profile;
  profile = fact_in("/proc/self/attr/current");
  return profile.ends_with(kEnforced) ? profile : std::string();
}

std::optional<std::string> why_apparmor(int error, const SecurityFacts& facts) {
  if (error != EACCES) return std::nullopt;
  const std::string& profile = facts.apparmor_profile;
  if (profile.ends_with(kEnforced))
    return "the AppArmor profile " + profile.substr(0, profile.size() - kEnforced.size()) +
           " forbids it (Docker: `--security-opt apparmor=unconfined` starts the container without)";
  if (facts.apparmor_restrict_unprivileged_userns == "1")
    return "AppArmor restricts user namespaces (`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows "
           "them, as does a profile of the program with `userns,`)";
  return std::nullopt;
}

}  // namespace

SecurityFacts read_security_facts() {
  SecurityFacts facts;
  facts.max_user_namespaces = fact_in("/proc/sys/user/max_user_namespaces");
  facts.unprivileged_userns_clone = fact_in("/proc/sys/kernel/unprivileged_userns_clone");
  facts.apparmor_restrict_unprivileged_userns = fact_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  facts.apparmor_profile = own_profile();
  return facts;
}

std::string why_no_namespace(int error, const SecurityFacts& facts) {
  if (facts.max_user_namespaces == "0")
    return "user namespaces are off (`sysctl -w user.max_user_namespaces=10000` allows them)";
  if (facts.unprivileged_userns_clone == "0")
    return "user namespaces are for root only (`sysctl -w kernel.unprivileged_userns_clone=1` allows them)";
  if (const auto why = why_apparmor(error, facts)) return "user namespaces are refused: " + *why;
  if (error == ENOSPC) return "the machine's limit of namespaces is reached (`sysctl user` shows the limits)";
  return errno_error("the kernel or the container's seccomp profile refuses user namespaces", error).message;
}

std::string why_useless_namespace(std::string_view what, int error, const SecurityFacts& facts) {
  const std::string refused = std::string(what) + " refused inside a user namespace";
  if (const auto why = why_apparmor(error, facts)) return refused + ": " + *why;
  return errno_error(refused + " (seccomp or AppArmor profile of the container)", error).message;
}

}  // namespace berth::isolation
