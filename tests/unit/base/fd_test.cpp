// SPDX-License-Identifier: Apache-2.0
#include "base/fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <gmock/gmock.h>
#include <type_traits>

namespace berth {
namespace {

using ::testing::HasSubstr;

static_assert(std::is_nothrow_move_constructible_v<UniqueFd> && std::is_nothrow_move_assignable_v<UniqueFd>);
static_assert(!std::is_copy_constructible_v<UniqueFd> && !std::is_copy_assignable_v<UniqueFd>);
static_assert(!std::is_convertible_v<int, UniqueFd>);

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}
bool is_close_on_exec(const UniqueFd& fd) {
  return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
}

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "berth-base-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST(UniqueFd, ClosesWhatItOwnsOnceAndNotWhatItGaveAway) {
  auto pipe = make_pipe().value();
  const int read = pipe.read.get();
  const int write = pipe.write.get();
  UniqueFd moved(std::move(pipe.read));
  EXPECT_FALSE(pipe.read);
  EXPECT_TRUE(is_open(read));
  moved.reset();
  EXPECT_FALSE(is_open(read));
  const int released = pipe.write.release();
  EXPECT_EQ(released, write);
  EXPECT_TRUE(is_open(write));
  pipe.write.reset(released);
  pipe.write = UniqueFd();
  EXPECT_FALSE(is_open(write));
}

TEST(UniqueFd, SurvivesAssignmentToItself) {
  auto pipe = make_pipe().value();
  UniqueFd& same = pipe.read;
  pipe.read = std::move(same);
  EXPECT_TRUE(is_open(pipe.read.get()));
}

TEST(UniqueFd, KeepsErrnoWhenItCloses) {
  auto pipe = make_pipe().value();
  errno = ENOTDIR;
  pipe.read.reset();
  EXPECT_EQ(errno, ENOTDIR);
}

TEST(MakePipe, GivesCloseOnExecEndsWithTheFlagsAskedFor) {
  const auto plain = make_pipe().value();
  EXPECT_TRUE(is_close_on_exec(plain.read) && is_close_on_exec(plain.write));
  EXPECT_EQ(::fcntl(plain.read.get(), F_GETFL) & O_NONBLOCK, 0);
  const auto nonblocking = make_pipe(O_NONBLOCK).value();
  EXPECT_NE(::fcntl(nonblocking.read.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(MakePipe, ReportsBadFlags) {
  const auto pipe = make_pipe(-1);
  ASSERT_FALSE(pipe);
  EXPECT_EQ(pipe.error().code, "system");
  EXPECT_THAT(pipe.error().message, HasSubstr("Invalid argument"));
}

TEST(MakeSeqpacketPair, KeepsMessageBorders) {
  const auto pair = make_seqpacket_pair().value();
  EXPECT_TRUE(is_close_on_exec(pair.read) && is_close_on_exec(pair.write));
  ASSERT_TRUE(write_all(pair.write.get(), "one"));
  ASSERT_TRUE(write_all(pair.write.get(), "two"));
  std::array<char, 16> buffer{};
  EXPECT_EQ(::read(pair.read.get(), buffer.data(), buffer.size()), 3);
}

TEST(SealedMemfd, HoldsItsContentAndRefusesEveryChange) {
  const auto file = make_sealed_memfd("probe", "content").value();
  EXPECT_TRUE(is_close_on_exec(file));
  EXPECT_EQ(read_all(file.get(), 100).value(), "content");
  EXPECT_EQ(::pwrite(file.get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(file.get(), 0), -1);
  EXPECT_EQ(::ftruncate(file.get(), 100), -1);
  EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
  EXPECT_EQ(::mmap(nullptr, 7, PROT_WRITE, MAP_SHARED, file.get(), 0), MAP_FAILED);
}

TEST_F(FileTest, WhatWasWrittenIsReadBack) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(write_file_atomically(path("f"), content));
  EXPECT_EQ(read_file(path("f")).value(), content);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, ReadingStopsAtItsLimit) {
  ASSERT_TRUE(write_file_atomically(path("f"), std::string(1000, 'x')));
  EXPECT_EQ(read_file(path("f"), 1000)->size(), 1000U);
  EXPECT_EQ(read_file(path("f"), 999).error().code, "too_large");
  EXPECT_EQ(read_file(path("f"), 0).error().code, "too_large");
  EXPECT_EQ(read_file("/dev/zero", 1 << 20).error().code, "too_large");
}

TEST_F(FileTest, ReadsMoreThanOneChunk) {
  const std::string content(300'001, 'y');
  ASSERT_TRUE(write_file_atomically(path("f"), content));
  EXPECT_EQ(read_file(path("f")).value(), content);
}

TEST_F(FileTest, ReadingSaysWhichFileAndWhy) {
  const auto missing = read_file(path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "system");
  EXPECT_THAT(missing.error().message, HasSubstr("missing"));
  EXPECT_THAT(missing.error().message, HasSubstr("No such file"));
  EXPECT_THAT(read_file(folder_).error().message, HasSubstr("directory"));
}

TEST_F(FileTest, ReplacingKeepsTheOldFileOrGivesTheWholeNewOne) {
  ASSERT_TRUE(write_file_atomically(path("f"), "old"));
  const UniqueFd reader(::open(path("f").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(write_file_atomically(path("f"), "newer"));
  EXPECT_EQ(read_all(reader.get(), 100).value(), "old");
  EXPECT_EQ(read_file(path("f")).value(), "newer");
}

TEST_F(FileTest, ReplacingSetsTheModeWhateverTheUmask) {
  const mode_t old = ::umask(0077);
  const auto written = write_file_atomically(path("f"), "x", 0644);
  ::umask(old);
  ASSERT_TRUE(written);
  struct stat facts {};
  ASSERT_EQ(::stat(path("f").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0644U);
}

TEST_F(FileTest, ReplacingALinkReplacesTheLinkAndSparesItsTarget) {
  ASSERT_TRUE(write_file_atomically(path("target"), "kept"));
  ASSERT_EQ(::symlink(path("target").c_str(), path("link").c_str()), 0);
  ASSERT_TRUE(write_file_atomically(path("link"), "new"));
  EXPECT_EQ(read_file(path("target")).value(), "kept");
  EXPECT_FALSE(std::filesystem::is_symlink(path("link")));
}

TEST_F(FileTest, FailedReplacingLeavesNothingBehind) {
  ASSERT_EQ(::mkdir(path("folder").c_str(), 0700), 0);
  EXPECT_FALSE(write_file_atomically(path("folder"), "x"));
  EXPECT_FALSE(write_file_atomically(path("absent/f"), "x"));
  EXPECT_EQ(entries(), 1U);
}

TEST(WriteAll, ReportsAFullDevice) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto written = write_all(full.get(), "x");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("No space left"));
}

TEST(ReadAll, ReportsABadDescriptor) {
  EXPECT_EQ(read_all(-1, 10).error().code, "system");
}

}  // namespace
}  // namespace berth
