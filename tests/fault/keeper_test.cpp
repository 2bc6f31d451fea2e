// SPDX-License-Identifier: Apache-2.0
// The keeper and its program: rows 3 and 11 of the threat table.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <gmock/gmock.h>
#include <seccomp.h>

#include "base/text.hpp"
#include "fault_support.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

constexpr int kStarts = 100;

class Keeper : public FaultTest {};

std::string keeper_digest(Room& room) {
  const auto program = read_file("/proc/" + std::to_string(room.keeper_pid()) + "/exe");
  return program ? sha256_hex(*program) : "";
}

// Row 11.
TEST_F(Keeper, ProgramIsSealed) {
  auto room = make_room();
  ASSERT_TRUE(room);
  const auto path = "/proc/" + std::to_string(room->room().keeper_pid()) + "/exe";
  const UniqueFd program(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!program) GTEST_SKIP() << "only root may look at a keeper";
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  EXPECT_EQ(::fcntl(program.get(), F_GET_SEALS) & kSeals, kSeals);
}

// Row 11: a child of the keeper has the keeper's program until its exec.
TEST_F(Keeper, ProgramCannotBeWrittenWhileCommandsStart) {
  auto room = make_room();
  ASSERT_TRUE(room);
  const auto before = keeper_digest(room->room());
  const auto attacker = room->launch(R"sh(exec /usr/bin/python3 -I -c '
import os
mine = os.readlink("/proc/self/exe")
while True:
    for n in os.listdir("/proc"):
        if not n.isdigit(): continue
        try:
            target = os.readlink("/proc/%s/exe" % n)
            if target.startswith("/usr/"): continue
            os.close(os.open("/proc/%s/exe" % n, os.O_WRONLY))
            open("/workspace/opened", "a").write(target + "\n")
        except OSError: pass
    open("/workspace/looked", "w").close()
')sh");
  for (int i = 0; i < kStarts; ++i) ASSERT_EQ(room->sh("true").exit_code(), 0);
  EXPECT_EQ(room->sh("ls /workspace").out, "looked\n") << "it looked all around and opened nothing";
  (void)room->kill(attacker);
  EXPECT_EQ(keeper_digest(room->room()), before);
}

// Row 3.
TEST_F(Keeper, WhenItDiesItsSlotIsGoneAndTheNeighbourServesOn) {
  auto room = make_room(0);
  auto neighbour = make_room(1);
  ASSERT_TRUE(room && neighbour);
  (void)room->launch("sleep 1000");
  ASSERT_EQ(::kill(room->room().keeper_pid(), SIGKILL), 0);
  std::optional<Event> event;
  do event = room->wait_event();
  while (event && !std::holds_alternative<KeeperGone>(*event));
  EXPECT_TRUE(event) << "KeeperGone never came";
  EXPECT_FALSE(room->room().start(999, shell("true"), {})) << "nothing runs outside a slot instead";
  EXPECT_TRUE(room->destroy()) << "its processes are all dead";
  EXPECT_EQ(neighbour->sh("echo alive").out, "alive\n");
}

void expect_refusal_and_report(const std::string& directory, const char* missing) {
  auto spec = test_spec("fault-lost");
  spec.isolation = IsolationLevel::strict;
  const auto strict = RoomFactory::create(spec, directory + "/strict");
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().code, "isolation");
  EXPECT_THAT(strict.error().message, HasSubstr(missing));
  EXPECT_THAT(strict.error().hint, HasSubstr("isolation: best-effort"));
}

// Row 3.
TEST_F(Keeper, WithoutUserNamespacesStrictRefusesInWordsThatHelp) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer has a thread of its own, and with two no user namespace can be entered";
#endif
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become a user without them";
  as_ordinary_user(directory_.path(), [](const std::string& directory) {
    ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    ASSERT_EQ(::syscall(SYS_unshare, CLONE_NEWUSER), 0);
    const UniqueFd limit(::open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(limit && write_all(limit.get(), "0"));
    expect_refusal_and_report(directory, "sysctl -w user.max_user_namespaces=");
    auto spec = test_spec("fault-lost");
    const auto best = RoomFactory::create(spec, directory + "/best");
    ASSERT_TRUE(best) << best.error().message;
    EXPECT_EQ((*best)->plan().rung, 3);
    EXPECT_FALSE((*best)->plan().notes.empty()) << "what is missing is reported";
  });
}

// Row 3.
TEST_F(Keeper, WithoutSeccompStrictRefuses) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become a user without it";
  as_ordinary_user(directory_.path(), [](const std::string& directory) {
    ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    const auto filter = ::seccomp_init(SCMP_ACT_ALLOW);
    ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 0);
    ASSERT_EQ(::seccomp_load(filter), 0);
    ::seccomp_release(filter);
    expect_refusal_and_report(directory, "seccomp");
  });
}

}  // namespace
}  // namespace berth::isolation::test
