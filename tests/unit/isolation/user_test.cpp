// SPDX-License-Identifier: Apache-2.0
#include "isolation/user.hpp"

#include <sys/stat.h>

#include <fstream>
#include <gmock/gmock.h>

#include "tests/support/temp_dir.hpp"

namespace berth::isolation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a remark\n"
    "broken:x:one:two\n"
    "app:x:1000:1001::/home/app:/bin/sh\n"
    "1000:x:2000:2000::/:/bin/sh\n"
    "far:x:70000:5::/:/bin/sh";
constexpr std::string_view kGroup = "root:x:0:\nextra:x:7:app,other\nown:x:1001:app\nagain:x:7:app\nfar:x:70000:\n";

TEST(ResolveUser, NobodyNamedIsRoot) {
  const auto ids = resolve_user("", kPasswd, kGroup);
  ASSERT_TRUE(ids);
  EXPECT_TRUE(ids->is_root());
}

TEST(ResolveUser, ANameBringsItsGroupAndTheGroupsThatListIt) {
  const auto ids = resolve_user("app", kPasswd, kGroup);
  ASSERT_TRUE(ids) << ids.error().message;
  EXPECT_EQ(ids->uid, 1000U);
  EXPECT_EQ(ids->gid, 1001U);
  EXPECT_THAT(ids->groups, ElementsAre(7U));
}

TEST(ResolveUser, ANameBeatsTheSameTextAsANumber) {
  EXPECT_EQ(resolve_user("1000", kPasswd, kGroup)->uid, 2000U);
}

TEST(ResolveUser, ANumberNeedsNoAccount) {
  const auto ids = resolve_user("4321", kPasswd, kGroup);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->uid, 4321U);
  EXPECT_EQ(ids->gid, 0U);
  EXPECT_THAT(ids->groups, IsEmpty());
}

TEST(ResolveUser, AGroupThatIsNamedStandsAlone) {
  const auto ids = resolve_user("app:extra", kPasswd, kGroup);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->gid, 7U);
  EXPECT_THAT(ids->groups, IsEmpty());
  EXPECT_EQ(resolve_user("app:99", kPasswd, kGroup)->gid, 99U);
  EXPECT_EQ(resolve_user(":99", kPasswd, kGroup)->uid, 0U);
  EXPECT_EQ(resolve_user("app:", kPasswd, kGroup)->gid, 1001U);
}

TEST(ResolveUser, WhoIsUnknownOrOutOfRangeIsNamed) {
  for (const char* wanted : {"nobody", "app:nobody", "far", "70000", "app:70000", "app:far", "-1", "99999999999"}) {
    const auto ids = resolve_user(wanted, kPasswd, kGroup);
    ASSERT_FALSE(ids) << wanted;
    EXPECT_FALSE(ids.error().hint.empty()) << wanted;
  }
  EXPECT_THAT(resolve_user("nobody", kPasswd, kGroup).error().message, HasSubstr("nobody"));
}

TEST(ResolveUser, TooManyGroupsAreRefused) {
  std::string groups;
  for (int id = 2000; id < 2033; ++id) groups += "g" + std::to_string(id) + ":x:" + std::to_string(id) + ":app\n";
  EXPECT_FALSE(resolve_user("app", kPasswd, groups));
}

TEST(ResolveUser, WhatIsNoFileKnowsNobody) {
  const berth::testing::TempDir root;
  ASSERT_EQ(::mkdir((root.path() + "/etc").c_str(), 0755), 0);
  ASSERT_EQ(::mkfifo((root.path() + "/etc/passwd").c_str(), 0644), 0);
  EXPECT_EQ(resolve_user_in(root.path(), "12")->uid, 12U);
  EXPECT_FALSE(resolve_user_in(root.path(), "app"));
}

TEST(ResolveUser, ReadsTheAccountsOfAnImage) {
  const berth::testing::TempDir root;
  ASSERT_EQ(::mkdir((root.path() + "/etc").c_str(), 0755), 0);
  std::ofstream(root.path() + "/etc/passwd") << kPasswd;
  std::ofstream(root.path() + "/etc/group") << kGroup;
  EXPECT_THAT(resolve_user_in(root.path(), "app")->groups, ElementsAre(7U));
}

}  // namespace
}  // namespace berth::isolation
