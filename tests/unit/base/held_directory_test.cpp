// SPDX-License-Identifier: Apache-2.0
#include "base/held_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

constexpr int kMakers = 4;
constexpr int kTurns = 5'000;

int error_of(const std::string& path) {
  const auto held = hold_directory(path);
  return held ? 0 : held.error();
}

TEST(HeldDirectory, IsHeldByOneAtATime) {
  const testing::TempDir directory;
  const std::string path = directory / "d";
  EXPECT_EQ(error_of(path), ENOENT);
  std::filesystem::create_directory(path);
  {
    const auto held = hold_directory(path);
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(error_of(path), EWOULDBLOCK);
  }
  EXPECT_EQ(error_of(path), 0);
}

TEST(HeldDirectory, IsNoLinkAndNoFile) {
  const testing::TempDir directory;
  std::filesystem::create_directory(directory / "d");
  std::filesystem::create_symlink(directory / "d", directory / "link");
  std::filesystem::copy_file("/proc/self/cmdline", directory / "file");
  EXPECT_NE(error_of(directory / "link"), 0);
  EXPECT_EQ(error_of(directory / "file"), ENOTDIR);
}

bool is_named(int fd, const std::string& path) {
  struct stat held {
  }, named{};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino;
}

// All make it, and remove it only while they hold it: between the opening and the lock it may have become another one.
TEST(HeldDirectory, WhatIsHeldHasItsNameUntilItIsLetGo) {
  const testing::TempDir directory;
  const std::string path = directory / "d";
  std::atomic<int> held_so_far{0};
  std::atomic<int> others{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kMakers; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kTurns; ++round) {
        ::mkdir(path.c_str(), 0755);
        const auto held = hold_directory(path);
        if (!held) continue;
        ++held_so_far;
        if (!is_named(held->get(), path)) ++others;
        ::rmdir(path.c_str());
      }
    });
  }
  threads.clear();
  EXPECT_GT(held_so_far, 0);
  EXPECT_EQ(others, 0);
}

}  // namespace
}  // namespace berth
