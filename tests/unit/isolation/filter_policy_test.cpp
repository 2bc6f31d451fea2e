// SPDX-License-Identifier: Apache-2.0
// The compiled program against the table, call by call, without the kernel.
#include <linux/audit.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <map>
#include <seccomp.h>
#include <string>

#include "filter_machine.hpp"
#include "isolation/filter.hpp"

namespace berth::isolation {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kForeign = AUDIT_ARCH_I386;
#else
constexpr std::uint32_t kNative = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kForeign = AUDIT_ARCH_ARM;
#endif
constexpr std::uint32_t kLastNumber = 600;
constexpr std::uint64_t kHighBits = std::uint64_t{0xdeadbeef} << 32;

constexpr std::uint32_t denial(int error_number) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number);
}

class FilterPolicy : public ::testing::Test {
 protected:
  void SetUp() override {
    auto program = compile_filter();
    ASSERT_TRUE(program) << program.error().message;
    program_ = *program;
  }
  [[nodiscard]] std::uint32_t verdict(std::uint32_t number, const std::array<std::uint64_t, 6>& arguments = {}) const {
    return run_filter(program_, kNative, number, arguments).action;
  }
  std::vector<sock_filter> program_;
};

int number_of(const FilterRule& rule) {
  const int number = seccomp_syscall_resolve_name(std::string(rule.syscall).c_str());
  return number == __NR_SCMP_ERROR ? rule.number : number;
}

TEST_F(FilterPolicy, EveryNumberIsDeniedOrAllowedAsTheTableSays) {
  std::map<std::uint32_t, int> denied;
  for (const auto& rule : filter_rules()) {
    if (!rule.argument && number_of(rule) >= 0) denied[static_cast<std::uint32_t>(number_of(rule))] = rule.error_number;
  }
  EXPECT_GT(denied.size(), 40U);
  for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
    const auto found = denied.find(number);
    const auto expected = found == denied.end() ? SECCOMP_RET_ALLOW : denial(found->second);
    EXPECT_EQ(verdict(number), expected) << number;
  }
}

TEST_F(FilterPolicy, EveryArgumentRuleHoldsAlsoWithHighBitsSet) {
  for (const auto& rule : filter_rules()) {
    if (!rule.argument) continue;
    std::array<std::uint64_t, 6> arguments{};
    const auto number = static_cast<std::uint32_t>(number_of(rule));
    arguments[rule.argument->index] = rule.argument->value;
    EXPECT_EQ(verdict(number, arguments), denial(rule.error_number)) << rule.syscall << ' ' << rule.argument->value;
    arguments[rule.argument->index] |= kHighBits;
    EXPECT_EQ(verdict(number, arguments), denial(rule.error_number)) << rule.syscall << ' ' << rule.argument->value;
  }
}

TEST_F(FilterPolicy, CloneAllowsThreadsForksAndTheTwoHarmlessNamespacesAlone) {
  const auto clone = [&](std::uint64_t flags) { return verdict(SYS_clone, {flags}); };
  EXPECT_EQ(clone(SIGCHLD), SECCOMP_RET_ALLOW);
  EXPECT_EQ(clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS), SECCOMP_RET_ALLOW);
  EXPECT_EQ(clone(CLONE_NEWUTS | SIGCHLD), SECCOMP_RET_ALLOW);
  EXPECT_EQ(clone(CLONE_NEWUTS | CLONE_NEWNET | SIGCHLD), SECCOMP_RET_ALLOW);
  for (std::uint64_t flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWCGROUP}) {
    EXPECT_EQ(clone(flag), denial(EPERM));
    EXPECT_EQ(clone(flag | CLONE_NEWUTS | SIGCHLD), denial(EPERM));
    EXPECT_EQ(clone(flag | CLONE_VM | kHighBits), denial(EPERM));
  }
  EXPECT_EQ(verdict(SYS_clone3), denial(ENOSYS));
}

TEST_F(FilterPolicy, SocketFamiliesAreAnAllowList) {
  for (std::uint64_t family : {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    EXPECT_EQ(verdict(SYS_socket, {family, SOCK_STREAM}), SECCOMP_RET_ALLOW) << family;
  }
  for (std::uint64_t family : {AF_PACKET, AF_ALG, AF_VSOCK, AF_KEY, AF_BLUETOOTH, AF_CAN, AF_TIPC, AF_XDP}) {
    EXPECT_EQ(verdict(SYS_socket, {family, SOCK_RAW}), denial(EAFNOSUPPORT)) << family;
  }
}

TEST_F(FilterPolicy, TerminalInjectionIsDeniedAndItsNeighboursAreNot) {
  for (std::uint64_t command : {0x5412U, 0x541cU}) {
    EXPECT_EQ(verdict(SYS_ioctl, {0, command}), denial(EPERM));
    EXPECT_EQ(verdict(SYS_ioctl, {0, command | kHighBits}), denial(EPERM));
    EXPECT_EQ(verdict(SYS_ioctl, {0, command - 1}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(verdict(SYS_ioctl, {0, command + 1}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(verdict(SYS_ioctl, {command, 0}), SECCOMP_RET_ALLOW) << "only the command counts";
  }
}

TEST_F(FilterPolicy, ForeignCallsDoNotExist) {
  for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
    EXPECT_EQ(run_filter(program_, kForeign, number).action, denial(ENOSYS)) << number;
  }
#if defined(__x86_64__)
  constexpr std::uint32_t kX32 = 0x40000000;
  for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
    EXPECT_EQ(verdict(kX32 | number), denial(ENOSYS)) << number;
  }
#endif
}

TEST_F(FilterPolicy, DebuggersAreNotDenied) {
  for (std::uint32_t number : {SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_seccomp, SYS_personality}) {
    EXPECT_EQ(verdict(number), SECCOMP_RET_ALLOW) << number;
  }
}

// The kernel remembers which calls are allowed whatever their arguments; the others walk the program each time.
TEST_F(FilterPolicy, IsSearchedAsATree) {
  constexpr std::size_t kDepth = 32;
  for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
    if (number == SYS_socket) continue;
    EXPECT_LT(run_filter(program_, kNative, number).steps, kDepth) << number;
  }
}

}  // namespace
}  // namespace berth::isolation
