// SPDX-License-Identifier: Apache-2.0
// What a command leaves running, and fork bombs: rows 5 and 6 of the threat table.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <gtest/gtest.h>

#include "base/fd.hpp"
#include "fault_support.hpp"

namespace berth::isolation::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kReplyPromised = 500ms;  // after the main process ended
constexpr auto kGonePromised = 1s;      // no process of the call
constexpr int kSlack = 5;

class Background : public FaultTest {};

constexpr const char* kStubborn = R"sh(
setsid sleep 1000 &
(setsid sh -c 'sleep 1000 & sleep 1000' &)
sh -c 'trap "" TERM HUP INT; while :; do sleep 1; done' &
sh -c 'kill -STOP $$; sleep 1000' &
sh -c 'while :; do (sleep 0.01 &) ; sleep 0.01; done' &
exit 7
)sh";

// Row 5.
TEST_F(Background, NothingOfACommandOutlivesKillAll) {
  as_both([](Harness& room) {
    const auto id = room.launch(kStubborn);
    const auto started = Clock::now();
    const auto exited = room.wait_exit(id);
    ASSERT_TRUE(exited);
    EXPECT_LT(Clock::now() - started, kSlack * kReplyPromised) << "children that hold the output keep nobody waiting";
    EXPECT_EQ(WEXITSTATUS(exited->wait_status), 7);
    EXPECT_TRUE(exited->others_alive);
    const auto asked = Clock::now();
    const auto killed = room.kill(id);
    ASSERT_TRUE(killed);
    EXPECT_LT(Clock::now() - asked, kSlack * kGonePromised);
    EXPECT_GE(killed->processes, 5U) << "one for each line, however far it has come";
    EXPECT_EQ(count_processes(room), 0U);
  });
}

// Row 5.
TEST_F(Background, AnotherCommandsDaemonIsLeftAlone) {
  auto room = make_room();
  ASSERT_TRUE(room);
  const auto first = room->launch("setsid sleep 1000 & exit 0");
  ASSERT_TRUE(room->wait_exit(first));
  const auto second = room->launch(kStubborn);
  ASSERT_TRUE(room->wait_exit(second));
  ASSERT_TRUE(room->kill(second));
  EXPECT_EQ(count_processes(*room), 1U);
}

// Row 5.
TEST_F(Background, ADestroyedSlotLeavesNoProcessAndNoGroup) {
  auto room = make_room();
  ASSERT_TRUE(room);
  (void)room->launch(kStubborn);
  const auto gone = room->destroy();
  EXPECT_TRUE(gone) << gone.error().message;
}

bool has_autogroups() {
  return read_file("/proc/sys/kernel/sched_autogroup_enabled").value_or("0").starts_with('1');
}

std::chrono::nanoseconds median_of_true(Harness& room) {
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < 31; ++i) {
    const auto start = Clock::now();
    EXPECT_EQ(room.sh("true").exit_code(), 0);
    times.emplace_back(Clock::now() - start);
  }
  std::nth_element(times.begin(), times.begin() + 15, times.end());
  return times[15];
}

constexpr const char* kBombs[] = {
    "b() { b | b & }; b; sleep 1000",
    "exec /usr/bin/python3 -I -c '\nimport os\nwhile True:\n    try: os.fork()\n    except OSError: pass'",
};

// Row 6. A limit of pids bounds the bomb; the neighbour is slower because the cores are shared, and never refused.
TEST_F(Background, AForkBombStaysInItsSlotAndDies) {
  constexpr int kNeighbourSlower = 2 * 5 * kSlack;  // twice as promised, on two cores with a full run queue
  for (const char* bomb : kBombs) {
    SCOPED_TRACE(bomb);
    auto room = make_room(0);
    auto neighbour = make_room(1);
    ASSERT_TRUE(room && neighbour);
    const auto alone = median_of_true(*neighbour);
    const auto id = room->launch(bomb);
    // Fair by the kernel's autogroups (each call is a session); without them each of the bomb's processes counts alike.
    const auto beside = median_of_true(*neighbour);
    EXPECT_TRUE(!has_autogroups() || beside < kNeighbourSlower * alone)
        << beside.count() << " ns, alone " << alone.count();
    EXPECT_EQ(neighbour->sh("echo works").out, "works\n");
    EXPECT_LE(room->room().usage().processes.value_or(0), spec_.slot.pids);
    ASSERT_TRUE(room->kill(id));
    EXPECT_EQ(room->sh("echo usable").out, "usable\n") << "the slot is free again";
    EXPECT_EQ(count_processes(*room), 0U);
  }
}

}  // namespace
}  // namespace berth::isolation::test
