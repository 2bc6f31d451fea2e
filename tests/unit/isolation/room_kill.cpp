// SPDX-License-Identifier: Apache-2.0
// Threat rows 5, 6 and 56: whatever a command leaves behind, kill_all() ends it and nothing else.
#include <poll.h>
#include <signal.h>

#include <cerrno>
#include <gmock/gmock.h>

#include "room_support.hpp"

namespace berth::isolation::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::Gt;

constexpr milliseconds kKillPromise{1000};  // "0 processes of the call after 1 s"; asserted at five times

class RoomKill : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    room_ = make_room();
    ASSERT_TRUE(room_);
  }
  // Processes of the slot beside its keeper and the shell that counts.
  int processes() {
    const auto listed = room_
                            ->sh(
                                "set -- /proc/[0-9]*; n=0; for p; do case $(cat $p/stat 2>/dev/null) in "
                                "*') Z '*|'') ;; *) n=$((n+1));; esac; done; echo $n")
                            .out;
    return std::atoi(listed.c_str()) - 2;
  }
  bool soon(const std::string& condition) {
    const auto end = steady_clock::now() + kDeadline;
    while (steady_clock::now() < end) {
      if (room_->sh(condition).exit_code() == 0) return true;
    }
    return false;
  }
  std::unique_ptr<Harness> room_;
};

TEST_F(RoomKill, EndsATreeWithDaemons) {
  const auto id = room_->launch(
      "for i in 1 2 3 4; do (sleep 1000 & setsid sleep 1000 & (setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & wait' &) "
      ") & done;"
      "sh -c 'kill -STOP $$' & wait; exit 0");
  ASSERT_TRUE(
      soon("test $(grep -lx sleep /proc/[0-9]*/comm | wc -l) -eq 12 && grep -q 'State:.T' /proc/[0-9]*/status"));
  const auto start = steady_clock::now();
  const auto killed = room_->kill(id);
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->processes, 18U);  // 12 sleeps, 4 shells that ignore TERM, a stopped one, the main process
  EXPECT_LT(steady_clock::now() - start, 5 * kKillPromise);
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, EndsDaemonsOfACommandThatIsOver) {
  const auto outcome = room_->sh("setsid sleep 1000 >/dev/null 2>&1 & (setsid sleep 1000 >/dev/null 2>&1 &) ; true");
  EXPECT_EQ(outcome.exit_code(), 0);
  EXPECT_TRUE(outcome.others_alive);
  const auto killed = room_->kill(1);
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->processes, 2U);
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, SparesOtherCommands) {
  const auto other = room_->launch("setsid sleep 1000 & exec sleep 1000");
  const auto id = room_->launch("setsid sleep 1000 & exec sleep 1000");
  ASSERT_TRUE(soon("test $(grep -l sleep /proc/[0-9]*/comm | wc -l) -eq 4"));
  const auto killed = room_->kill(id);
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->processes, 2U);
  EXPECT_EQ(processes(), 2);
  EXPECT_TRUE(room_->kill(other));
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, ReportsTheExitBeforeTheEndOfAll) {
  const auto id = room_->launch("sleep 1000");
  ASSERT_TRUE(room_->room().kill_all(id));
  const auto first = room_->wait_event();
  ASSERT_TRUE(first && std::holds_alternative<Exited>(*first));
  EXPECT_EQ(WTERMSIG(std::get<Exited>(*first).wait_status), SIGKILL);
  const auto second = room_->wait_event();
  EXPECT_TRUE(second && std::holds_alternative<Killed>(*second));
}

TEST_F(RoomKill, AnswersForCommandsThatNeverWere) {
  const auto killed = room_->kill(4711);
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->processes, 0U);
}

TEST_F(RoomKill, KnowsWhenNothingIsLeft) {
  EXPECT_FALSE(room_->sh("sleep 0 & wait").others_alive);
  const auto idle = room_->launch("exec sleep 1000");
  EXPECT_FALSE(room_->sh("true").others_alive) << "another command's main process is nobody's leftover";
  EXPECT_TRUE(room_->kill(idle));
}

// The first thread may end while others go on; such a process shows no namespace at its top.
TEST_F(RoomKill, FindsProcessesWhoseFirstThreadEnded) {
  const auto id = room_->launch(
      "python3 -c 'import threading, time, ctypes\n"
      "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
      "open(\"/workspace/up\", \"w\")\n"
      "ctypes.CDLL(None).syscall(60, 0)' & sleep 1000");
  if (room_->sh("command -v python3").exit_code() != 0) GTEST_SKIP() << "no python3 in the slot";
  ASSERT_TRUE(soon("test -e /workspace/up && grep -q 'State:.Z' /proc/[0-9]*/status"));
  EXPECT_TRUE(room_->kill(id));
  EXPECT_FALSE(room_->sh("true").others_alive);
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, EndsAForkBombAndStaysResponsive) {
  const auto bomb = room_->launch("b() { b | b & }; b; sleep 1000");
  const auto other = room_->launch("exec sleep 1000");
  ASSERT_TRUE(room_->room().signal(other, SIGTERM));
  bool other_ended = false;
  const auto start = steady_clock::now();
  ASSERT_TRUE(room_->room().kill_all(bomb));
  for (;;) {
    const auto event = room_->wait_event();
    ASSERT_TRUE(event);
    if (std::holds_alternative<Killed>(*event)) break;
    if (const auto* exited = std::get_if<Exited>(&*event)) other_ended |= exited->command == other;
    if (const auto* failed = std::get_if<StartFailed>(&*event)) other_ended |= failed->command == other;  // no pid left
  }
  EXPECT_LT(steady_clock::now() - start, 5 * kKillPromise);
  if (!other_ended) {
    EXPECT_TRUE(room_->kill(other));
  }
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, ReapsOrphansAtOnce) {
  EXPECT_EQ(room_->sh("i=0; while [ $i -lt 2000 ]; do (sleep 0 &); i=$((i+1)); done").exit_code(), 0);
  EXPECT_TRUE(soon("! grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null | grep -q ."));
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, LeavesNoZombieAfterManyCommands) {
  for (int i = 0; i < 500; ++i) ASSERT_EQ(room_->sh("exit 3").exit_code(), 3);
  EXPECT_EQ(processes(), 0);
}

TEST_F(RoomKill, TellsWhenTheKeeperDies) {
  room_->launch("sleep 1000");
  ASSERT_EQ(::kill(room_->room().keeper_pid(), SIGKILL), 0);
  std::optional<Event> event;
  do event = room_->wait_event();
  while (event && !std::holds_alternative<KeeperGone>(*event));
  ASSERT_TRUE(event);
  EXPECT_FALSE(room_->room().next_event());
  EXPECT_FALSE(room_->room().start(9, shell("true"), {}));
  EXPECT_TRUE(room_->destroy());
}

}  // namespace
}  // namespace berth::isolation::test
