// SPDX-License-Identifier: Apache-2.0
// What machines with AppArmor and others answer, as it was recorded on them: this one may have none of it.
#include "isolation/refusals.hpp"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::isolation {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

SecurityFacts ubuntu_24(const std::string& profile) {
  return {"31337", "1", "1", profile};
}

// Ubuntu 24.04, an ordinary user: the clone succeeds, the profile changes, and the first mount is EACCES.
TEST(Refusals, UbuntusRestrictionOfUserNamespacesIsNamedWithItsSetting) {
  for (const std::string profile : {"unconfined", "", "unprivileged_userns (complain)"}) {
    const std::string why = why_useless_namespace("mounts are", EACCES, ubuntu_24(profile));
    EXPECT_THAT(why, AllOf(HasSubstr("mounts are refused"), HasSubstr("AppArmor restricts user namespaces")));
    EXPECT_THAT(why, HasSubstr("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"));
  }
  // Ubuntu 23.10 refuses the clone itself.
  EXPECT_THAT(why_no_namespace(EACCES, ubuntu_24("unconfined")),
              HasSubstr("kernel.apparmor_restrict_unprivileged_userns=0"));
}

// Docker's default profile denies every mount of the container, in user namespaces too.
TEST(Refusals, AProfileOfTheContainerIsNamed) {
  for (const std::string setting : {"", "0", "1"}) {
    SecurityFacts facts = ubuntu_24("docker-default (enforce)");
    facts.apparmor_restrict_unprivileged_userns = setting;
    const std::string why = why_useless_namespace("mounts are", EACCES, facts);
    EXPECT_THAT(why, AllOf(HasSubstr("AppArmor profile docker-default"), HasSubstr("apparmor=unconfined")));
    EXPECT_THAT(why, Not(HasSubstr("sysctl")));
  }
}

// Docker's seccomp profile answers EPERM, on machines with AppArmor as well.
TEST(Refusals, SeccompIsNotTakenForAppArmor) {
  EXPECT_THAT(why_no_namespace(EPERM, ubuntu_24("unconfined")),
              AllOf(HasSubstr("seccomp profile refuses user namespaces"), Not(HasSubstr("AppArmor"))));
  EXPECT_THAT(why_useless_namespace("a host name is", EPERM, {}), HasSubstr("seccomp or AppArmor profile"));
}

TEST(Refusals, SettingsThatForbidUserNamespacesComeFirst) {
  EXPECT_THAT(why_no_namespace(ENOSPC, {"0", "", "", ""}), HasSubstr("user.max_user_namespaces=10000"));
  EXPECT_THAT(why_no_namespace(EPERM, {"31337", "0", "", ""}), HasSubstr("kernel.unprivileged_userns_clone=1"));
  EXPECT_THAT(why_no_namespace(ENOSPC, {"31337", "", "", ""}), HasSubstr("limit of namespaces is reached"));
}

}  // namespace
}  // namespace berth::isolation
