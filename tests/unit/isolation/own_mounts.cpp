// SPDX-License-Identifier: Apache-2.0
#include "own_mounts.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <gtest/gtest.h>

#include "base/fd.hpp"
#include "base/mounts.hpp"

namespace berth::isolation::test {
namespace {

bool mounts_are_own = false;

// Private first, which ends what came from the machine; shared again, so that what a room lets out is seen here.
class OwnMounts : public ::testing::Environment {
 public:
  void SetUp() override {
    mounts_are_own = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                     ::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0;
  }
};

[[maybe_unused]] const ::testing::Environment* const registered =
    ::testing::AddGlobalTestEnvironment(new OwnMounts);  // GoogleTest's own from here

}  // namespace

std::optional<std::size_t> count_own_mounts() {
  if (!mounts_are_own) return std::nullopt;
  const auto table = read_file("/proc/self/mountinfo");
  if (!table) return std::nullopt;
  return parse_mounts(*table).size();
}

}  // namespace berth::isolation::test
