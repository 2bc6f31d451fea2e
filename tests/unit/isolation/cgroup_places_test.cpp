// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_places.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::isolation {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kV1Mounts =
    "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n";

TEST(CgroupPlaces, OwnGroupOfEachUsefulTreeOnce) {
  const auto places = find_v1_places("4:memory:/user/1\n2:cpu,cpuacct:/\n5:devices:/\n", kV1Mounts);
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(places[0].directory, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_THAT(places[0].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_EQ(places[1].directory, "/sys/fs/cgroup/memory/user/1");
}

TEST(CgroupPlaces, InAContainerTheMountStartsAtTheOwnGroup) {
  const auto places = find_v1_places("4:memory:/docker/abc/inner\n",
                                     "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].directory, "/sys/fs/cgroup/memory/inner");
}

TEST(CgroupPlaces, AMountThatDoesNotShowTheOwnGroupIsNoPlace) {
  EXPECT_TRUE(find_v1_places("4:memory:/other\n", "35 31 0:32 /docker/abc /m ro - cgroup cgroup rw,memory\n").empty());
  EXPECT_TRUE(
      find_v1_places("4:memory:/docker/abcd\n", "35 31 0:32 /docker/abc /m ro - cgroup cgroup rw,memory\n").empty());
}

TEST(CgroupPlaces, ADelegatedGroupBeatsTheOwnOne) {
  for (bool delegated_first : {true, false}) {
    const std::string own = "35 31 0:32 /docker/abc /own ro - cgroup cgroup rw,memory\n";
    for (const std::string point : {"/sys/fs/cgroup/memory", "/.berth/groups/memory"}) {
      const std::string given = "36 31 0:32 /berth/abc/slots " + point + " rw - cgroup cgroup rw,memory\n";
      const auto places = find_v1_places("4:memory:/docker/abc\n", delegated_first ? given + own : own + given);
      ASSERT_EQ(places.size(), 1U);
      EXPECT_EQ(places[0].directory, point);
      EXPECT_TRUE(places[0].delegated);
    }
  }
}

// Seen while an engine copied files into a container: its mounts stood in the machine's own table.
TEST(CgroupPlaces, AnotherContainersDelegatedGroupIsNotOurs) {
  const std::string own = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  const std::string others =
      "36 31 0:32 /berth/abc/slots /var/lib/docker/overlay2/f/merged/.berth/groups/memory rw - cgroup cgroup "
      "rw,memory\n";
  const auto places = find_v1_places("4:memory:/me\n", others + own);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].directory, "/sys/fs/cgroup/memory/me");
  EXPECT_FALSE(places[0].delegated);
}

TEST(CgroupPlaces, VersionTwoIsItsOwnKind) {
  const std::string_view mounts = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
  EXPECT_TRUE(find_v1_places("0::/user.slice/a.scope\n", mounts).empty());
  const auto places = find_v2_places("0::/user.slice/a.scope\n", mounts);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].directory, "/sys/fs/cgroup/user.slice/a.scope");
  EXPECT_EQ(places[0].mount_point, "/sys/fs/cgroup");
}

TEST(CgroupPlaces, EscapedMountPointsAreReadAsTheyAre) {
  const auto places = find_v2_places("0::/\n", "41 31 0:38 / /a\\040b\\134c rw - cgroup2 cgroup2 rw\n");
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].directory, "/a b\\c");
}

TEST(CgroupPlaces, RubbishIsNoPlace) {
  for (std::string_view text : {"", "\n\n", "a b c", "1 2 3 4 5 -", "1 2 3 4 5 6 - cgroup"}) {
    EXPECT_TRUE(find_v1_places("4:memory:/\n", text).empty());
    EXPECT_TRUE(find_v2_places(text, "41 31 0:38 / /x rw - cgroup2 cgroup2 rw\n").empty());
  }
}

}  // namespace
}  // namespace berth::isolation
