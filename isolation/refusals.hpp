// SPDX-License-Identifier: Apache-2.0
// Why this machine or container refuses what isolation needs, in one sentence with the way out. Pure but for the
// reading of the facts; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace berth::isolation {

// Settings of the kernel that decide about user namespaces, as their files have them; empty where there is no such
// file.
struct SecurityFacts {
  std::string max_user_namespaces;
  std::string unprivileged_userns_clone;              // Debian's
  std::string apparmor_restrict_unprivileged_userns;  // Ubuntu's, 1 by default since 24.04
  std::string apparmor_profile;                       // of this process: "docker-default (enforce)", "unconfined"
};
[[nodiscard]] SecurityFacts read_security_facts();

// clone() with a user namespace failed with this errno. AppArmor says EACCES, seccomp and the settings EPERM.
[[nodiscard]] std::string why_no_namespace(int error, const SecurityFacts& facts);
// There is a user namespace, and what its first process tries ("mounts are") fails with this errno: profiles of
// AppArmor for containers refuse mounts there, and Ubuntu's for user namespaces takes away what they are good for.
[[nodiscard]] std::string why_useless_namespace(std::string_view what, int error, const SecurityFacts& facts);

}  // namespace berth::isolation
