// SPDX-License-Identifier: Apache-2.0
// Memory and disk used up: rows 29 and 30 of the threat table.
#include <sys/statvfs.h>

#include <filesystem>
#include <gmock/gmock.h>

#include "fault_support.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class Exhaustion : public FaultTest {
 protected:
  std::uint64_t kills(Harness& room) { return room.room().usage().oom_kills.value_or(0); }
  bool has_memory_group() { return factory_->abilities().cgroup_memory; }
};

// Row 29.
TEST_F(Exhaustion, AHeapBombDiesAloneAndIsCounted) {
  if (!has_memory_group()) GTEST_SKIP() << factory_->abilities().why_no_cgroup;
  auto room = make_room(0);
  auto neighbour = make_room(1);
  ASSERT_TRUE(room && neighbour);
  const auto daemon = room->launch("sleep 1000");
  Command bomb = shell("exec /usr/bin/python3 -c 'b = []\nwhile True: b.append(b\"x\" * (1 << 20))'");
  EXPECT_EQ(room->run(bomb).signal(), SIGKILL);
  EXPECT_GE(kills(*room), 1U);
  EXPECT_EQ(room->sh("echo alive").out, "alive\n") << "the keeper lives";
  EXPECT_EQ(kills(*neighbour), 0U);
  EXPECT_EQ(neighbour->sh("echo alive").out, "alive\n");
  (void)room->kill(daemon);
}

// Row 29.
TEST_F(Exhaustion, ManySmallProcessesTogetherAreTheSlotsMemory) {
  if (!has_memory_group()) GTEST_SKIP() << factory_->abilities().why_no_cgroup;
  auto room = make_room();
  ASSERT_TRUE(room);
  const auto outcome = python(*room, R"py(
import signal
children = []
for _ in range(60):
    child = os.fork()
    if child == 0:
        block = b'x' * (12 << 20)
        signal.pause()
    children.append(child)
import time
deadline = time.monotonic() + 15
dead = 0
while dead == 0 and time.monotonic() < deadline:
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid: dead += 1
    else: time.sleep(0.01)
for child in children:
    try: os.kill(child, 9)
    except ProcessLookupError: pass
print(dead > 0)
)py");
  EXPECT_GE(kills(*room), 1U);
  EXPECT_EQ(room->sh("echo alive").out, "alive\n");
}

// Rows 29 and 30: a full disk is ENOSPC long before the kernel kills.
TEST_F(Exhaustion, AFullDiskIsAnErrorAndKillsNobody) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, "print(attempt(write_much, 100))"), "ENOSPC");
    EXPECT_EQ(room.room().usage().oom_kills.value_or(0), 0U);
    EXPECT_EQ(room.sh("rm /workspace/much && echo more > /workspace/small && cat /workspace/small").out, "more\n");
  });
}

// Row 30.
TEST_F(Exhaustion, FallocateAndSparseFilesMeetTheSameLimit) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, R"py(
fd = os.open('/tmp/large', os.O_CREAT | os.O_RDWR)
print(attempt(os.posix_fallocate, fd, 0, 1 << 30))
os.close(fd)
os.unlink('/tmp/large')
for directory in ('/tmp', '/workspace', '/dev/shm', '/var/tmp', '/run'):
    fd = os.open(directory + '/sparse', os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 1 << 40)
    os.close(fd)
    print(os.stat(directory + '/sparse').st_blocks)
)py"),
              "ENOSPC\n0\n0\n0\n0\n0");
  });
}

// Row 30.
TEST_F(Exhaustion, InodesAreBounded) {
  as_both([](Harness& room) {
    EXPECT_EQ(printed(room, R"py(
os.mkdir('/workspace/many')
made = 0
try:
    for made in range(1000000): os.close(os.open('/workspace/many/%d' % made, os.O_CREAT | os.O_WRONLY))
except OSError as e: print(name(e.errno), made < 100000)
)py"),
              "ENOSPC True");
  });
}

// Row 30.
TEST_F(Exhaustion, AFullSlotLeavesItsNeighbourAndTheMachineAlone) {
  const auto directory = std::filesystem::temp_directory_path();
  const auto before = std::filesystem::space(directory).available;
  auto room = make_room(0);
  auto neighbour = make_room(1);
  ASSERT_TRUE(room && neighbour);
  ASSERT_EQ(printed(*room, "print(attempt(write_much, 100))"), "ENOSPC");
  EXPECT_EQ(printed(*neighbour, "print(attempt(write_much, 16))"), "ok");
  const auto after = std::filesystem::space(directory).available;
  EXPECT_LT(before > after ? before - after : 0, std::uint64_t{1} << 30)
      << "others write here too, but not what the slot did";
  ASSERT_TRUE(room->destroy());
  auto fresh = make_room(2);
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->sh("ls -A /workspace /tmp").out, "/tmp:\n\n/workspace:\n");
  EXPECT_EQ(printed(*fresh, "print(attempt(write_much, 24))"), "ok");
}

}  // namespace
}  // namespace berth::isolation::test
