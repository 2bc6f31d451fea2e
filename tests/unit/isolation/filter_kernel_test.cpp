// SPDX-License-Identifier: Apache-2.0
// The same policy in the kernel: a child installs the filter and tries. As root of the machine each attempt is made
// without the filter too, and must fare differently: so the filter is what denies.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <string>

#include "isolation/filter.hpp"

namespace berth::isolation {
namespace {

constexpr long kGarbage = -1;  // as pointer, descriptor or flags: whatever the call does not, it does no harm

// Calls that would act even with garbage, or that no longer exist.
constexpr std::string_view kNotTriedBare[] = {"vhangup", "create_module", "nfsservctl", "uselib", "lookup_dcookie"};

void install(const std::vector<sock_filter>& program) {
  sock_fprog prog{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(100);
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != 0) ::_exit(101);
}

// errno of `attempt` (0: it worked) made in a child, with or without the filter; -signal when the child was killed.
int attempt(bool filtered, const std::function<long()>& call) {
  static const auto program = compile_filter();
  auto* result =
      static_cast<int*>(::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = ::fork();
  if (child == 0) {
    if (filtered) install(*program);
    errno = 0;
    *result = call() < 0 ? errno : 0;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const int value = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status) != 0 ? -1000 : *result;
  ::munmap(result, sizeof(int));
  return value;
}

long call_with_garbage(int number) {
  return ::syscall(number, kGarbage, kGarbage, kGarbage, kGarbage, kGarbage, kGarbage);
}

long clone_child(unsigned long flags) {
  const long child = ::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, 0);
  return child;
}

bool is_root() {
  return ::geteuid() == 0;
}

TEST(FilterInKernel, DeniesEveryCallOfTheTable) {
  for (const auto& rule : filter_rules()) {
    const int number = seccomp_syscall_resolve_name(std::string(rule.syscall).c_str());
    if (rule.argument || number < 0) continue;
    EXPECT_EQ(attempt(true, [&] { return call_with_garbage(number); }), rule.error_number) << rule.syscall;
    if (!is_root() ||
        std::find(std::begin(kNotTriedBare), std::end(kNotTriedBare), rule.syscall) != std::end(kNotTriedBare)) {
      continue;
    }
    EXPECT_NE(attempt(false, [&] { return call_with_garbage(number); }), rule.error_number) << rule.syscall;
  }
}

TEST(FilterInKernel, DeniesNamespacesByClone) {
  for (unsigned long flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWCGROUP}) {
    EXPECT_EQ(attempt(true, [&] { return clone_child(flag); }), EPERM) << flag;
    const int bare = attempt(false, [&] { return clone_child(flag); });
    EXPECT_TRUE(bare == 0 || !is_root()) << flag;
  }
  EXPECT_EQ(attempt(true, [] { return clone_child(0); }), 0);
  EXPECT_EQ(attempt(true, [] { return clone_child(CLONE_NEWUTS); }), is_root() ? 0 : EPERM)
      << "the keeper tags commands so; the kernel asks for CAP_SYS_ADMIN";
}

TEST(FilterInKernel, DeniesSocketFamiliesButTheFiveInUse) {
  for (int family : {AF_PACKET, AF_ALG, AF_VSOCK, AF_KEY, AF_BLUETOOTH}) {
    EXPECT_EQ(attempt(true, [&] { return ::socket(family, SOCK_RAW, 0); }), EAFNOSUPPORT) << family;
  }
  for (int family : {AF_UNIX, AF_INET, AF_NETLINK}) {
    EXPECT_EQ(attempt(true, [&] { return ::socket(family, SOCK_DGRAM, 0); }), 0) << family;
  }
  EXPECT_NE(attempt(false, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }), EAFNOSUPPORT);
}

TEST(FilterInKernel, DeniesTypingIntoATerminal) {
  const auto type = [](unsigned long command) {
    return [command] {
      const int terminal = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
      if (terminal < 0) ::_exit(102);
      std::array<char, 64> room{'x'};  // what the request reads or fills
      return ::syscall(SYS_ioctl, terminal, command, room.data());
    };
  };
  constexpr unsigned long kTioclinux = 0x541c;
  constexpr unsigned long kHighBits = 0xdeadbeefUL << 32;
  for (unsigned long command : {static_cast<unsigned long>(TIOCSTI), kTioclinux}) {
    EXPECT_EQ(attempt(true, type(command)), EPERM);
    EXPECT_EQ(attempt(true, type(command | kHighBits)), EPERM);
  }
  const int bare = attempt(false, type(TIOCSTI | kHighBits));
  EXPECT_TRUE(bare != EPERM || !is_root()) << "the kernel drops the high bits";
  EXPECT_EQ(attempt(true, type(TIOCGWINSZ)), 0) << "other requests pass";
}

TEST(FilterInKernel, LetsAProcessTraceItsChild) {
  EXPECT_EQ(attempt(true,
                    []() -> long {
                      const pid_t child = ::fork();
                      if (child == 0) {
                        ::pause();
                        ::_exit(0);
                      }
                      const long result = ::ptrace(PTRACE_SEIZE, child, 0, 0);
                      const int saved = errno;
                      ::kill(child, SIGKILL);
                      ::waitpid(child, nullptr, 0);
                      errno = saved;
                      return result;
                    }),
            0);
}

#if defined(__x86_64__)
long getpid_by_int80() {
  long result = 20;  // getpid of i386
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

TEST(FilterInKernel, ForeignEntriesDoNotExist) {
  EXPECT_EQ(attempt(true, getpid_by_int80), ENOSYS);
  EXPECT_EQ(attempt(false, getpid_by_int80), 0);
  EXPECT_EQ(attempt(true, [] { return ::syscall(0x40000000 | SYS_getpid); }), ENOSYS);
}
#endif

TEST(FilterInKernel, OutlivesExecAndCannotBeTakenOff) {
  const auto run = [] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c",
              "grep -q '^Seccomp:.*2' /proc/self/status && grep -q '^NoNewPrivs:.*1' /proc/self/status", nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0 ? 0L : -1L;
  };
  EXPECT_EQ(attempt(true, run), 0);
}

}  // namespace
}  // namespace berth::isolation
