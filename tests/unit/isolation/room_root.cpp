// SPDX-License-Identifier: Apache-2.0
// What a slot sees and may change: threat rows 7, 8, 12, 15 to 18, 20, 30.
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <gmock/gmock.h>

#include "isolation/keeper/capabilities.hpp"
#include "room_support.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RoomRoot : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    room_ = make_room();
    ASSERT_TRUE(room_);
  }
  void need_writable_root() {
    if (!factory_->plan().writable_root) GTEST_SKIP() << "system files cannot be changed here (needs root)";
  }
  std::unique_ptr<Harness> room_;
};

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

TEST_F(RoomRoot, ConfirmsEveryMeasureAndStartsEmpty) {
  auto room = factory_->begin({"slot_1", 1, {}, false});
  ASSERT_TRUE(room);
  Harness harness(std::move(*room));
  const auto ready = harness.wait_ready();
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->in_force, factory_->plan().in_force);
  EXPECT_EQ(ready->processes, 0U);
  EXPECT_EQ(ready->workspace_entries, 0U);
  EXPECT_EQ(ready->open_sockets, 0U);
}

TEST_F(RoomRoot, ShowsTheSystemAndNothingOfTheMachinesPeople) {
  EXPECT_EQ(room_->sh("ls /").out, "bin\ndev\netc\nhome\nlib\n" +
                                       std::string(std::filesystem::exists("/lib32") ? "lib32\n" : "") +
                                       (std::filesystem::exists("/lib64") ? "lib64\n" : "") +
                                       (std::filesystem::exists("/libx32") ? "libx32\n" : "") +
                                       "mnt\nopt\nproc\nroot\nrun\nsbin\nsrv\nsys\ntmp\nusr\nvar\nworkspace\n");
  EXPECT_EQ(room_->sh("ls -A /home /root /srv /mnt /opt /run /tmp /sys | grep -v : | grep -v '^$'").out, "");
  EXPECT_EQ(room_->sh("ls /var").out, "cache\nlib\nlog\ntmp\n");
  EXPECT_EQ(room_->sh("ls /etc | grep -E 'shadow|sudoers|ssh|npmrc|pip.conf|machine-id|fstab'").out, "");
  EXPECT_EQ(room_->sh("awk -F: '$3 >= 1000 && $3 != 65534' /etc/passwd").out, "");
  EXPECT_EQ(room_->sh("getent passwd root").out, "root:x:0:0:root:/workspace:/bin/bash\n");
  EXPECT_EQ(room_->sh("hostname").out, "slot_0\n");
}

TEST_F(RoomRoot, HasTheFixedListOfDevices) {
  EXPECT_EQ(room_->sh("ls /dev").out,
            "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
  EXPECT_EQ(room_->sh("echo x > /dev/null && head -c 3 /dev/zero | wc -c").out, "3\n");
  EXPECT_NE(room_->sh("chmod 600 /dev/null").exit_code(), 0);
  EXPECT_NE(room_->sh("chmod 600 /proc/kmsg").exit_code(), 0);
  EXPECT_NE(room_->sh("mknod /tmp/x c 1 3").exit_code(), 0);
}

TEST_F(RoomRoot, MasksWhatReachesIntoTheMachine) {
  for (const char* file : {"kallsyms", "kmsg", "kcore", "keys", "timer_list", "iomem"}) {
    EXPECT_EQ(room_->sh(std::string("head -c 1 /proc/") + file).out, "") << file;
  }
  for (const char* file : {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger"}) {
    EXPECT_NE(room_->sh(std::string("true > ") + file).exit_code(), 0) << file;
  }
  EXPECT_NE(room_->sh("echo -900 > /proc/self/oom_score_adj").exit_code(), 0);
  EXPECT_EQ(room_->sh("cat /proc/self/oom_score_adj").out, "500\n");
}

TEST_F(RoomRoot, HidesTheKeeper) {
  for (const char* what : {"exe", "root", "cwd", "environ", "mem", "fd"}) {
    EXPECT_NE(room_->sh(std::string("ls -L /proc/1/") + what + "/ >/dev/null && cat /proc/1/" + what).exit_code(), 0)
        << what;
  }
  EXPECT_EQ(room_->sh("tr '\\0' ' ' < /proc/1/cmdline").out, "keeper ");
  EXPECT_EQ(room_->sh("kill -9 1; echo alive").out, "alive\n");
  EXPECT_EQ(room_->sh("true").exit_code(), 0);
}

TEST_F(RoomRoot, GivesCommandsTheCommittedCapabilities) {
  const auto status = room_->sh("cat /proc/self/status").out;
  const auto kept = hex(kept_capability_mask());
  EXPECT_THAT(status, HasSubstr("CapEff:\t" + kept));
  EXPECT_THAT(status, HasSubstr("CapBnd:\t" + kept));
  EXPECT_THAT(status, HasSubstr("CapPrm:\t" + kept));
  EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
}

TEST_F(RoomRoot, SeesOnlyItsOwnProcesses) {
  EXPECT_EQ(room_->sh("set -- /proc/[0-9]*; echo $#").out, "2\n");  // the keeper and the shell
}

TEST_F(RoomRoot, HasOnlyALoopback) {
  EXPECT_EQ(room_->sh("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").out, "lo\n");
  EXPECT_EQ(room_->sh("cat /sys/class/net/lo/operstate 2>/dev/null; ls /sys").out, "");
}

TEST_F(RoomRoot, IsNotSeenByOtherRooms) {
  auto other = make_room(1);
  ASSERT_TRUE(other);
  ASSERT_EQ(room_->sh("echo secret > /workspace/s; echo secret > /tmp/s; echo secret > /dev/shm/s").exit_code(), 0);
  const auto id = room_->launch("sleep 1000");
  EXPECT_EQ(other->sh("cat /workspace/s /tmp/s /dev/shm/s").out, "");
  EXPECT_EQ(other->sh("set -- /proc/[0-9]*; echo $#").out, "2\n");
  EXPECT_TRUE(room_->kill(id));
  if (has(factory_->plan().in_force, Measure::shifted_ids)) {
    EXPECT_NE(room_->room().host_uid(), other->room().host_uid());
  }
}

TEST_F(RoomRoot, MayChangeTheSystemForItselfUntilReset) {
  need_writable_root();
  if (IsSkipped()) return;
  auto other = make_room(1);
  ASSERT_TRUE(other);
  EXPECT_EQ(room_->sh("echo x > /usr/bin/new && rm -rf /usr/share/doc && chown 5:5 /etc/passwd && rm /usr/bin/env").err,
            "");
  EXPECT_EQ(room_->sh("cat /usr/bin/new; ls /usr/share/doc; stat -c %u /etc/passwd").out, "x\n5\n");
  EXPECT_EQ(other->sh("test ! -e /usr/bin/new && test -e /usr/bin/env && stat -c %u /etc/passwd").out, "0\n");
  ASSERT_TRUE(room_->destroy());
  room_ = make_room();
  ASSERT_TRUE(room_);
  EXPECT_EQ(room_->sh("test ! -e /usr/bin/new && test -e /usr/bin/env && stat -c %u /etc/passwd").out, "0\n");
  EXPECT_TRUE(std::filesystem::exists("/usr/bin/env"));
}

TEST_F(RoomRoot, AnswersNoSpaceWhenItsDiskIsFull) {
  const auto outcome = room_->sh("head -c 100000000 /dev/zero > /workspace/big; echo $?; stat -c %s /workspace/big");
  EXPECT_THAT(outcome.err, HasSubstr("No space left on device"));
  EXPECT_THAT(outcome.out, HasSubstr("1\n"));
  EXPECT_NE(room_->sh("head -c 100000 /dev/zero > /dev/shm/more").exit_code(), 0) << "one disk for all";
  EXPECT_EQ(room_
                ->sh("rm /workspace/big; i=0; while [ $i -lt 20000 ] && : > /tmp/f$i; do i=$((i+1)); done 2>/dev/null; "
                     "echo $i")
                .err,
            "");
  EXPECT_NE(room_->sh(": > /workspace/one-more").exit_code(), 0) << "inodes are bounded";
}

TEST_F(RoomRoot, LetsTheServerWorkInTheWorkspaceUnderTheSlotsIds) {
  const int root = room_->room().root_fd();
  ASSERT_GE(root, 0);
  ASSERT_GE(room_->room().workspace_fd(), 0);
  ::setfsgid(room_->room().host_gid());
  ::setfsuid(room_->room().host_uid());
  const UniqueFd file(::openat(room_->room().workspace_fd(), "made", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  const int error = errno;
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  ASSERT_TRUE(file) << error;
  ASSERT_TRUE(write_all(file.get(), "hello"));
  EXPECT_EQ(room_->sh("cat made; stat -c ' %u %g' made").out, "hello 0 0\n");
}

TEST_F(RoomRoot, KeepsAWorkspaceOnTheHostAcrossRooms) {
  const std::string kept = directory_.path() + "/kept";
  ASSERT_TRUE(std::filesystem::create_directory(kept));
  auto first = make_room(1, false, kept);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sh("echo data > file; stat -c %u file").out, "0\n");
  ASSERT_TRUE(first->destroy());
  struct stat info {};
  ASSERT_EQ(::stat((kept + "/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, ::geteuid());
  auto second = make_room(2, false, kept);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->sh("cat file; rm file && echo gone").out, "data\ngone\n");
}

TEST_F(RoomRoot, ShowsWhatSetupWroteToLaterRooms) {
  auto setup = make_room(spec_.slots, true);
  ASSERT_TRUE(setup);
  EXPECT_EQ(setup->sh("echo tool > /opt/tool; echo scratch > /tmp/scratch; mkdir -p /var/lib/thing").err, "");
  if (factory_->plan().writable_root) {
    EXPECT_EQ(setup->sh("echo tool > /usr/bin/tool; rm -rf /usr/share/base-files").err, "");
  }
  ASSERT_TRUE(setup->destroy());
  ASSERT_TRUE(factory_->adopt_setup_layer());
  for (unsigned index : {1U, 2U}) {
    auto room = make_room(index);
    ASSERT_TRUE(room);
    EXPECT_EQ(room->sh("cat /opt/tool; test -d /var/lib/thing; echo $?; ls /tmp").out, "tool\n0\n");
    EXPECT_EQ(room->sh("rm /opt/tool; echo mine > /opt/mine; ls /opt").out, "mine\n");
    if (factory_->plan().writable_root) {
      EXPECT_EQ(room->sh("cat /usr/bin/tool; ls -d /usr/share/base-files 2>/dev/null; stat -c %u /usr/bin/tool; rm "
                         "/usr/bin/tool")
                    .out,
                "tool\n0\n");
    }
  }
  EXPECT_THAT(room_->sh("ls /opt").out, Not(HasSubstr("tool"))) << "rooms begun earlier stay as they were";
}

TEST_F(RoomRoot, CannotReachItsUpperDirectoriesOrLeaveItsRoot) {
  EXPECT_EQ(room_->sh("cd /../..; ls | grep -xE 'u|k|l|s'").out, "");
  EXPECT_NE(room_->sh("mount -t tmpfs x /mnt").exit_code(), 0);
  EXPECT_NE(room_->sh("umount /proc/sys").exit_code(), 0);
  EXPECT_NE(room_->sh("unshare -U true").exit_code(), 0);
  EXPECT_NE(room_->sh("chroot / true").exit_code(), 0);
}

TEST_F(RoomRoot, RunsACommandWithoutNetworkWhereTheSlotHasOne) {
  ContainerSpec spec = test_spec("room-full");
  spec.slot.network = NetworkMode::full;
  room_.reset();  // its factory must outlive it, and use() replaces the factory
  use(spec);
  if (IsSkipped()) return;
  auto room = make_room();
  ASSERT_TRUE(room);
  Command command = shell("readlink /proc/self/ns/net; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
  const auto with = room->run(command);
  command.no_network = true;
  const auto without = room->run(command);
  EXPECT_NE(with.out.substr(0, 17), without.out.substr(0, 17));
  EXPECT_THAT(without.out, ::testing::EndsWith("]\nlo\n"));
}

}  // namespace
}  // namespace berth::isolation::test
