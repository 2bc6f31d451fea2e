// SPDX-License-Identifier: Apache-2.0
// Host files in and out: what is packed, and that nothing a slot made can be written outside its folder.
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fd.hpp"
#include "cli/host_files.hpp"
#include "cli/pack.hpp"
#include "cli/terminal.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

struct Member {
  std::string name;
  int type = AE_IFREG;
  std::string content;  // or the target of a link
  bool hard = false;
};

class Files : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& content) {
    fs::create_directories(fs::path(directory / name).parent_path());
    std::ofstream(directory / name) << content;
  }

  // Members as they are given, however hostile.
  std::string tar(const std::vector<Member>& members) {
    const std::string path = directory / "made.tar";
    archive* out = ::archive_write_new();
    ::archive_write_set_format_pax_restricted(out);
    ::archive_write_open_filename(out, path.c_str());
    for (const Member& member : members) {
      archive_entry* entry = ::archive_entry_new();
      ::archive_entry_set_pathname(entry, member.name.c_str());
      ::archive_entry_set_filetype(entry, static_cast<unsigned>(member.type));
      ::archive_entry_set_perm(entry, 0644);
      if (member.type == AE_IFLNK) ::archive_entry_set_symlink(entry, member.content.c_str());
      if (member.hard) ::archive_entry_set_hardlink(entry, member.content.c_str());
      const bool data = member.type == AE_IFREG && !member.hard;
      ::archive_entry_set_size(entry, data ? static_cast<la_int64_t>(member.content.size()) : 0);
      ::archive_write_header(out, entry);
      if (data) ::archive_write_data(out, member.content.data(), member.content.size());
      ::archive_entry_free(entry);
    }
    ::archive_write_free(out);
    return path;
  }

  Expected<void> unpack(const std::vector<Member>& members, UnpackLimits limits = {}) {
    fs::create_directories(directory / "out");
    return HostFolder::open(directory / "out")->unpack(tar(members), limits, skipped);
  }

  std::string content(const std::string& name) { return read_file(directory / name).value_or("(missing)"); }

  testing::TempDir directory;
  std::vector<std::string> skipped;
};

TEST_F(Files, TheSameTreeGivesTheSameBytes) {
  put("a/z", "1");
  put("a/b/c", "2");
  fs::create_symlink("z", directory / "a/link");
  const auto first = pack(directory / "a", "a");
  fs::copy(directory / "a", directory / "b", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*first, *pack(directory / "a", "other"));
}

TEST_F(Files, PackedTreesUnpackAsTheyWere) {
  put("a/sub/file", "text");
  put("a/run", "#!/bin/sh\n");
  fs::permissions(directory / "a/run", fs::perms::owner_all);
  fs::create_symlink("sub/file", directory / "a/link");
  std::ofstream(directory / "a.tar") << *pack(directory / "a", "a");
  fs::create_directories(directory / "out");
  ASSERT_TRUE(HostFolder::open(directory / "out")->unpack(directory / "a.tar", {}, skipped).has_value());
  EXPECT_EQ(content("out/sub/file"), "text");
  EXPECT_EQ(content("out/link"), "text");
  EXPECT_EQ(::access((directory / "out/run").c_str(), X_OK), 0);
  EXPECT_THAT(skipped, SizeIs(0));
}

TEST_F(Files, WhatIsNoFileIsRefusedByName) {
  put("a/file", "x");
  ASSERT_EQ(::mkfifo((directory / "a/fifo").c_str(), 0600), 0);
  const auto packed = pack(directory / "a", "a");
  ASSERT_FALSE(packed.has_value());
  EXPECT_THAT(packed.error().message, HasSubstr("a/fifo"));
}

TEST_F(Files, TarsAreKeptOnceUnderTheirDigest) {
  put("a/file", "x");
  const auto first = pack_into(directory / "inputs", directory / "a", "a");
  const auto second = pack_into(directory / "inputs", directory / "a", "b");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(fs::path(*first).filename().string().size(), 64U);
}

TEST_F(Files, NamesThatLeadOutsideAreLeftOut) {
  ASSERT_TRUE(unpack({{"../up", AE_IFREG, "x"},
                      {"/tmp/berth-absolute", AE_IFREG, "x"},
                      {"a/../../up", AE_IFREG, "x"},
                      {"fine", AE_IFREG, "x"}})
                  .has_value());
  EXPECT_FALSE(fs::exists(directory / "up"));
  EXPECT_FALSE(fs::exists("/tmp/berth-absolute"));
  EXPECT_EQ(content("out/fine"), "x");
  EXPECT_THAT(skipped, SizeIs(3));
}

TEST_F(Files, LinksThatLeadOutsideAreLeftOutAndCannotBeWrittenThrough) {
  put("canary/file", "untouched");
  ASSERT_TRUE(unpack({{"abs", AE_IFLNK, directory / "canary"},
                      {"rel", AE_IFLNK, "../canary"},
                      {"deep/rel", AE_IFLNK, "../../canary"},
                      {"abs/file", AE_IFREG, "x"},
                      {"rel/file", AE_IFREG, "x"}})
                  .has_value());
  EXPECT_EQ(content("canary/file"), "untouched");
  EXPECT_FALSE(fs::is_symlink(directory / "out/abs"));
  EXPECT_FALSE(fs::is_symlink(directory / "out/deep/rel"));
  EXPECT_THAT(skipped, SizeIs(3));
}

TEST_F(Files, ALinkThatWasThereBeforeIsNotFollowedOutside) {
  put("canary/file", "untouched");
  fs::create_directories(directory / "out");
  fs::create_symlink(directory / "canary", directory / "out/dir");
  fs::create_symlink(directory / "canary/file", directory / "out/file");
  ASSERT_TRUE(unpack({{"dir/file", AE_IFREG, "x"}, {"file", AE_IFREG, "new"}}).has_value());
  EXPECT_EQ(content("canary/file"), "untouched");
  EXPECT_EQ(content("out/file"), "new");
  EXPECT_FALSE(fs::is_symlink(directory / "out/file"));
}

TEST_F(Files, HardLinksAndDevicesAreLeftOut) {
  ASSERT_TRUE(
      unpack({{"file", AE_IFREG, "x"}, {"hard", AE_IFREG, "/etc/passwd", true}, {"fifo", AE_IFIFO, ""}}).has_value());
  EXPECT_FALSE(fs::exists(directory / "out/hard"));
  EXPECT_FALSE(fs::exists(directory / "out/fifo"));
  EXPECT_THAT(skipped, SizeIs(2));
}

TEST_F(Files, SizesAndCountsAreBounded) {
  EXPECT_EQ(unpack({{"a", AE_IFREG, std::string(1000, 'x')}}, {999, 10}).error().code, "output_too_large");
  EXPECT_EQ(unpack({{"a", AE_IFREG, "x"}, {"b", AE_IFREG, "x"}}, {999, 1}).error().code, "output_too_large");
  EXPECT_FALSE(fs::exists(directory / "out/a") && content("out/a").size() == 1000);
}

TEST_F(Files, AFileThatIsNotCommittedWasNeverThere) {
  put("out/report", "old");
  {
    auto file = HostFolder::open(directory / "out")->create("report");
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(file->write("half").has_value());
  }
  EXPECT_EQ(content("out/report"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "out"), fs::directory_iterator()), 1);
}

TEST_F(Files, FoldersAreEnteredOnlyBelow) {
  fs::create_directories(directory / "out");
  fs::create_symlink("/tmp", directory / "out/away");
  const auto root = HostFolder::open(directory / "out");
  EXPECT_TRUE(root->enter("a/b/c").has_value());
  EXPECT_FALSE(root->enter("../x").has_value());
  EXPECT_FALSE(root->enter("/x").has_value());
  EXPECT_EQ(root->enter("away").error().code, "outside");
}

TEST(Terminal, NothingThatATerminalObeysGetsThrough) {
  const std::string line = harmless_line("a\x1b[31mb\x07\r\n\xff\xc2\x9b\xe2\x80\xae c\ttail", 100);
  for (const char c : line) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20) << line;
  EXPECT_THAT(line, ::testing::Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(line, ::testing::Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(line, HasSubstr("c tail"));
  EXPECT_EQ(harmless_line("abcdef", 3), "abc");
}

}  // namespace
}  // namespace berth::cli
