// SPDX-License-Identifier: Apache-2.0
#include "isolation/layout.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <gmock/gmock.h>

#include "tests/support/temp_dir.hpp"

namespace berth::isolation {
namespace {

using Kind = LayoutEntry::Kind;

constexpr std::string_view kMounts =
    "21 1 0:1 / / rw - overlay overlay rw\n"
    "22 21 0:2 / /etc/hosts rw - ext4 /dev/a rw\n"
    "23 21 0:3 / /data rw - ext4 /dev/a rw\n"
    "24 21 0:4 / /odd\\040name/below rw - ext4 /dev/a rw\n"
    "cut short\n"
    "25 21 0:5 / /variable/x rw - tmpfs none rw";

TEST(MountsBelow, AreThoseStrictlyBelow) {
  EXPECT_TRUE(has_mounts_below(parse_mounts(kMounts), "/etc"));
  EXPECT_TRUE(has_mounts_below(parse_mounts(kMounts), "/"));
  EXPECT_FALSE(has_mounts_below(parse_mounts(kMounts), "/data"));
  EXPECT_FALSE(has_mounts_below(parse_mounts(kMounts), "/var"));
  EXPECT_TRUE(has_mounts_below(parse_mounts(kMounts), "/variable"));
  EXPECT_TRUE(has_mounts_below(parse_mounts(kMounts), "/odd name"));
  EXPECT_FALSE(has_mounts_below({}, "/etc"));
}

class ImageDirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"/usr", "/usr/bin", "/etc", "/proc", "/tmp", "/workspace", "/.berth", "/with space", "/a,b"}) {
      ASSERT_EQ(::mkdir((image_.path() + name).c_str(), 0755), 0) << name;
    }
    ASSERT_EQ(::symlink("usr/bin", (image_.path() + "/bin").c_str()), 0);
    std::ofstream(image_.path() + "/hello") << "x";
  }
  static const LayoutEntry* find(const std::vector<LayoutEntry>& entries, std::string_view name) {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
    return found == entries.end() ? nullptr : &*found;
  }
  berth::testing::TempDir image_;
  berth::testing::TempDir work_;
};

TEST_F(ImageDirectory, ShowsDirectoriesAndLinksButNotWhatASlotHasOfItsOwn) {
  const auto layout = make_layout({RootMode::machine, image_.path(), work_.path(), true});
  ASSERT_TRUE(layout) << layout.error().message;
  ASSERT_TRUE(find(*layout, "usr"));
  EXPECT_EQ(find(*layout, "usr")->kind, Kind::system);
  EXPECT_EQ(find(*layout, "usr")->source, image_.path() + "/usr");
  EXPECT_EQ(find(*layout, "bin")->kind, Kind::link);
  EXPECT_EQ(find(*layout, "bin")->source, "usr/bin");
  EXPECT_EQ(find(*layout, "var")->kind, Kind::directory);
  EXPECT_TRUE(find(*layout, "with space"));
  for (const char* hidden : {"proc", "tmp", "workspace", ".berth", "a,b", "hello"})
    EXPECT_FALSE(find(*layout, hidden)) << hidden;
}

TEST(ContainerLayout, RefusesADataDirectoryAmongTheImagesOwn) {
  const auto layout = make_layout({RootMode::container, "", "/usr/lib/berth-of-a-test", true});
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().code, "config");
  EXPECT_THAT(layout.error().message, ::testing::HasSubstr("/usr"));
}

TEST(ContainerLayout, RefusesADataDirectoryBehindALinkOfTheImage) {
  const berth::testing::TempDir place;
  ASSERT_EQ(::mkdir((place / "real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", (place / "link").c_str()), 0);
  for (const auto& behind : {place / "link", place / "link/data"}) {
    const auto layout = make_layout({RootMode::container, "", behind, true});
    ASSERT_FALSE(layout) << behind;
    EXPECT_THAT(layout.error().message, ::testing::HasSubstr("behind a link of the image"));
  }
}

TEST(CopyDirectory, KeepsModesTimesAndLinks) {
  const berth::testing::TempDir place;
  const std::string from = place.path() + "/from";
  ASSERT_EQ(::mkdir(from.c_str(), 0751), 0);
  std::ofstream(from + "/f") << "text";
  ASSERT_EQ(::chmod((from + "/f").c_str(), 0640), 0);
  ASSERT_EQ(::symlink("f", (from + "/l").c_str()), 0);
  const timespec times[] = {{1000, 0}, {2000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (from + "/f").c_str(), times, 0), 0);
  ASSERT_EQ(::mkfifo((from + "/fifo").c_str(), 0600), 0);
  ASSERT_TRUE(copy_directory(from, place.path() + "/to"));
  EXPECT_NE(::access((place.path() + "/to/fifo").c_str(), F_OK), 0);
  struct stat info {};
  ASSERT_EQ(::stat((place.path() + "/to/f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  EXPECT_EQ(info.st_mtim.tv_sec, 2000);
  ASSERT_EQ(::lstat((place.path() + "/to/l").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(::stat((place.path() + "/to").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0751U);
}

TEST(CopyDirectory, StopsAtItsBound) {
  const berth::testing::TempDir place;
  ASSERT_EQ(::mkdir((place / "from").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir((place / "from/below").c_str(), 0755), 0);
  for (const char* name : {"from/a", "from/below/b"}) std::ofstream(place / name) << std::string(600, 'x');
  EXPECT_TRUE(copy_directory(place / "from", place / "to", 1200));
  const auto refused = copy_directory(place / "from", place / "to", 1199);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "config");
  EXPECT_FALSE(refused.error().hint.empty());
}

}  // namespace
}  // namespace berth::isolation
