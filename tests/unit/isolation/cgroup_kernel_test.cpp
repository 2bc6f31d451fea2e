// SPDX-License-Identifier: Apache-2.0
// Real control groups of this machine, of whichever version it has.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>

#include "isolation/cgroup.hpp"

namespace berth::isolation {
namespace {

constexpr std::uint64_t kOneMiB = std::uint64_t{1} << 20;
constexpr std::chrono::microseconds kReadPromised{50};

class CgroupKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    parent_ = open_cgroup_parent("berth-test-" + std::to_string(::getpid()), can_);
    if (parent_ == nullptr) GTEST_SKIP() << "no control group to work in: " << can_.why_no_cgroup;
    if (!can_.cgroup_memory || !can_.cgroup_pids) GTEST_SKIP() << "memory or pids cannot be limited here";
  }
  std::unique_ptr<Cgroup> make(std::uint64_t memory, std::uint64_t pids) {
    SlotSpec spec;
    spec.memory_bytes = memory;
    spec.disk_bytes = 0;
    spec.pids = pids;
    auto group = parent_->make_slot("slot_0", spec);
    EXPECT_TRUE(group) << group.error().message;
    return std::move(*group);
  }
  // Wait status of a child that joins by itself and then runs `work`, whose result is its exit code.
  static int run_in(const Cgroup& group, const std::function<int()>& work) {
    const auto join = group.join_fds();
    EXPECT_TRUE(join);
    const pid_t child = ::fork();
    if (child == 0) {
      for (const auto& file : *join) {
        if (::write(file.get(), "0", 1) != 1) ::_exit(99);
      }
      ::_exit(work());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }
  Abilities can_;
  std::unique_ptr<CgroupParent> parent_;
};

int touch(std::uint64_t bytes) {
  auto* memory = static_cast<char*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) return 1;
  for (std::uint64_t at = 0; at < bytes; at += 4096) memory[at] = 1;
  return 0;
}

// How many children could be started at once.
int count_forks(int wanted) {
  int started = 0;
  for (; started < wanted; ++started) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ::signal(SIGTERM, SIG_IGN);
  ::kill(0, SIGTERM);
  while (::wait(nullptr) > 0) {
  }
  return started;
}

TEST_F(CgroupKernel, KillsTheProcessThatPassesTheMemoryLimitAndCountsIt) {
  const auto group = make(16 * kOneMiB, 50);
  EXPECT_EQ(run_in(*group, [] { return touch(4 * kOneMiB); }), 0);
  EXPECT_EQ(group->usage().oom_kills, 0U);
  const int status = run_in(*group, [] { return touch(64 * kOneMiB); });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(group->usage().oom_kills, 1U);
}

TEST_F(CgroupKernel, StopsForksAtThePidsLimit) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "each process has a thread of the sanitizer's, which counts too";
#endif
  const auto group = make(64 * kOneMiB, 10);
  const int status = run_in(*group, [] {
    ::setpgid(0, 0);
    return count_forks(50);
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 9) << "and itself";
}

TEST_F(CgroupKernel, ForgetsThePeakBetweenCalls) {
  const auto group = make(128 * kOneMiB, 50);
  EXPECT_EQ(run_in(*group, [] { return touch(32 * kOneMiB); }), 0);
  EXPECT_GE(group->usage().memory_peak_bytes.value_or(0), 32 * kOneMiB);
  group->reset_peak();
  EXPECT_EQ(run_in(*group, [] { return touch(kOneMiB); }), 0);
  EXPECT_LT(group->usage().memory_peak_bytes.value_or(0), 16 * kOneMiB);
}

TEST_F(CgroupKernel, CountsProcessesAndRefusesToGoWhileOneIsLeft) {
  auto group = make(64 * kOneMiB, 10);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_TRUE(group->add_process(child));
#ifndef __SANITIZE_THREAD__  // its runtime keeps a thread of its own in each process, and the kernel counts threads
  EXPECT_EQ(group->usage().processes, 1U);
#endif
  const auto refused = group->remove();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "busy");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(group->remove());
}

TEST_F(CgroupKernel, ACallsLimitBindsBelowTheSlots) {
  const auto group = make(128 * kOneMiB, 50);
  const auto call = group->make_child("call_1", 8 * kOneMiB, 5);
  ASSERT_TRUE(call) << call.error().message;
  const int status = run_in(**call, [] { return touch(32 * kOneMiB); });
  EXPECT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ((*call)->usage().oom_kills, 1U);
  EXPECT_EQ(run_in(*group, [] { return touch(32 * kOneMiB); }), 0) << "the slot itself has more";
}

TEST_F(CgroupKernel, ReadingCostsMicroseconds) {
  const auto group = make(64 * kOneMiB, 10);
  constexpr int kReads = 1000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kReads; ++i) (void)group->usage();
  const auto each = (std::chrono::steady_clock::now() - start) / kReads;
  RecordProperty("usage_ns", std::to_string(std::chrono::nanoseconds(each).count()));
  EXPECT_LT(each, 5 * kReadPromised);
}

TEST_F(CgroupKernel, AKilledServersGroupsAreGoneAfterTheNextStart) {
  const std::string id = "berth-crash-" + std::to_string(::getpid());
  const pid_t server = ::fork();
  if (server == 0) {
    Abilities can;
    const auto parent = open_cgroup_parent(id, can);
    const auto group = parent ? parent->make_slot("slot_0", SlotSpec()) : fail("test", "no parent");
    ::_exit(group ? 0 : 1);  // no destructor runs
  }
  int status = 0;
  ::waitpid(server, &status, 0);
  ASSERT_EQ(status, 0);
  Abilities can;
  const auto next = open_cgroup_parent(id, can);
  ASSERT_NE(next, nullptr);
  EXPECT_TRUE(next->make_slot("slot_0", SlotSpec())) << "the name is free again";
}

}  // namespace
}  // namespace berth::isolation
