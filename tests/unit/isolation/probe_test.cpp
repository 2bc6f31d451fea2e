// SPDX-License-Identifier: Apache-2.0
// The probe on the machine as it is, and on machines made worse for one child.
#include "isolation/probe.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "base/fd.hpp"
#include "isolation/filter.hpp"
#include "own_mounts.hpp"
#include "tests/support/slowdown.hpp"

namespace berth::isolation {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPromised{15};
constexpr uid_t kNobody = 65534;

std::string describe(const Abilities& can) {
  const auto yes = [](std::string_view name, bool on) { return (on ? " +" : " -") + std::string(name); };
  return yes("users", can.user_namespaces) + yes("many_ids", can.many_ids) + yes("proc", can.fresh_proc) +
         yes("overlay", can.overlay_in_user_namespace) + yes("idmapped", can.idmapped_mounts) +
         yes("root_user", can.root_user) + yes("is_root", can.is_root) + yes("seccomp", can.seccomp) + " | " +
         can.why_no_user_namespaces + " | " + can.why_no_fresh_proc;
}

// What a child finds after `spoil`, which returns false where it could not make the machine worse.
std::string probe_in_child(const std::function<bool()>& spoil) {
  auto pipe = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text =
        spoil() ? describe(probe_abilities()) : "could not spoil: " + std::string(std::strerror(errno));
    (void)write_all(pipe->write.get(), text);
    ::_exit(0);
  }
  pipe->write.reset();
  auto text = read_all(pipe->read.get(), 4096);
  ::waitpid(child, nullptr, 0);
  return text ? *text : "";
}

bool become_nobody() {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
         ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0 && ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

class ProbeAsRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to change the machine for a child";
    if (!probe_abilities().user_namespaces) GTEST_SKIP() << "this machine has no user namespaces to take away";
  }
};

TEST(Probe, SaysWhyWheneverSomethingIsMissing) {
  const auto can = probe_abilities();
  EXPECT_EQ(can.user_namespaces, can.why_no_user_namespaces.empty());
  if (can.user_namespaces) {
    EXPECT_EQ(can.fresh_proc, can.why_no_fresh_proc.empty());
  }
  EXPECT_EQ(can.root_user, ::geteuid() == 0);
  EXPECT_TRUE(can.root_user || !can.is_root);
  EXPECT_TRUE(can.is_root || !can.idmapped_mounts);
}

TEST(Probe, LeavesNothingBehind) {
  const auto mounts = test::count_own_mounts();
  const auto descriptors = open_descriptors();
  (void)probe_abilities();
  EXPECT_EQ(test::count_own_mounts(), mounts);
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(Probe, IsQuick) {
  auto best = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    (void)probe_abilities();
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  RecordProperty("best_us", std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(best).count()));
  EXPECT_LT(best, 5 * kPromised * berth::testing::kSlowdown);
}

TEST_F(ProbeAsRoot, FindsNothingThatOnlyRootHasAsAnOrdinaryUser) {
  const auto found = probe_in_child(become_nobody);
  EXPECT_THAT(found, HasSubstr("-many_ids"));
  EXPECT_THAT(found, HasSubstr("-is_root"));
  EXPECT_THAT(found, HasSubstr("-idmapped"));
  EXPECT_THAT(found, HasSubstr("+seccomp"));
}

TEST_F(ProbeAsRoot, NamesTheSettingThatForbidsUserNamespaces) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the sanitizer's own thread keeps a process from entering a user namespace";
#endif
  const auto found = probe_in_child([] {
    // The limit is one of the user namespace's own, so that lowering it here touches nobody else.
    if (!become_nobody() || ::syscall(SYS_unshare, CLONE_NEWUSER) != 0) return false;
    const UniqueFd limit(::open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC));
    return limit && write_all(limit.get(), "0").has_value();
  });
  EXPECT_THAT(found, HasSubstr("-users"));
  EXPECT_THAT(found, HasSubstr("sysctl -w user.max_user_namespaces="));
}

TEST_F(ProbeAsRoot, ReportsASeccompProfileThatForbidsNamespaces) {
  const auto found = probe_in_child([] {
    const auto program = compile_filter();
    sock_fprog prog{static_cast<unsigned short>(program->size()), const_cast<sock_filter*>(program->data())};
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0;
  });
  EXPECT_THAT(found, HasSubstr("-users"));
  EXPECT_THAT(found, HasSubstr("-is_root"));
  EXPECT_THAT(found, HasSubstr("seccomp profile refuses user namespaces"));
}

TEST_F(ProbeAsRoot, FindsThatAMaskedProcForbidsAFreshOneToUserNamespacesOnly) {
  const auto found = probe_in_child([] {
    return ::syscall(SYS_unshare, CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("mask", "/proc/sys", "tmpfs", MS_RDONLY, nullptr) == 0;
  });
  EXPECT_THAT(found, HasSubstr("+users"));
  EXPECT_THAT(found, HasSubstr("-proc"));
  EXPECT_THAT(found, HasSubstr("parts of the container's are covered"));
}

}  // namespace
}  // namespace berth::isolation
