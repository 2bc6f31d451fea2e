// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <gmock/gmock.h>

#include "room_support.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::HasSubstr;

class RoomCommands : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    room_ = make_room();
    ASSERT_TRUE(room_);
  }
  std::unique_ptr<Harness> room_;
};

TEST_F(RoomCommands, ReportsTheExitCode) {
  EXPECT_EQ(room_->sh("true").exit_code(), 0);
  EXPECT_EQ(room_->sh("exit 7").exit_code(), 7);
}

TEST_F(RoomCommands, ReportsTheSignalThatEndedIt) {
  EXPECT_EQ(room_->sh("kill -TERM $$").signal(), SIGTERM);
}

TEST_F(RoomCommands, ConnectsInputOutputAndErrors) {
  const auto outcome = room_->run(shell("read line; echo \"got $line\"; echo oops >&2"), "hello\n");
  EXPECT_EQ(outcome.out, "got hello\n");
  EXPECT_EQ(outcome.err, "oops\n");
}

TEST_F(RoomCommands, SeesExactlyTheGivenEnvironment) {
  Command command;
  command.argv = {"/usr/bin/env"};
  command.env = {"A=1", "B=two words", "A=3"};
  EXPECT_EQ(room_->run(command).out, "A=1\nB=two words\nA=3\n");
}

TEST_F(RoomCommands, StartsInTheWorkspace) {
  EXPECT_EQ(room_->sh("pwd").out, "/workspace\n");
  Command command = shell("pwd");
  command.cwd = "/tmp";
  EXPECT_EQ(room_->run(command).out, "/tmp\n");
}

TEST_F(RoomCommands, LooksProgramsUpInThePathOfTheCommand) {
  Command command;
  command.argv = {"id", "-u"};
  command.env = {"PATH=/nowhere:/usr/bin"};
  EXPECT_EQ(room_->run(command).out, "0\n");
  command.env = {"PATH=/nowhere"};
  const auto outcome = room_->run(command);
  ASSERT_TRUE(outcome.failed);
  EXPECT_EQ(outcome.failed->step, "exec");
  EXPECT_EQ(outcome.failed->error_number, ENOENT);
}

TEST_F(RoomCommands, SaysWhyAProgramDoesNotStart) {
  ASSERT_EQ(room_->sh("echo text > plain; chmod 644 plain; echo text > script; chmod 755 script").exit_code(), 0);
  Command command;
  command.argv = {"/workspace/plain"};
  auto outcome = room_->run(command);
  ASSERT_TRUE(outcome.failed);
  EXPECT_EQ(outcome.failed->error_number, EACCES);
  command.argv = {"/workspace/script"};
  outcome = room_->run(command);
  ASSERT_TRUE(outcome.failed);
  EXPECT_EQ(outcome.failed->error_number, ENOEXEC);
  command.argv = {"/nowhere"};
  outcome = room_->run(command);
  ASSERT_TRUE(outcome.failed);
  EXPECT_EQ(outcome.failed->error_number, ENOENT);
}

TEST_F(RoomCommands, RefusesAWorkingDirectoryThatIsNone) {
  ASSERT_EQ(room_->sh("touch file; ln -s /proc/self/fd/0 magic").exit_code(), 0);
  for (const auto& [cwd, error] :
       {std::pair{"/nowhere", ENOENT}, std::pair{"/workspace/file", ENOTDIR}, std::pair{"/proc/self/cwd", ELOOP},
        std::pair{"/workspace/magic", ELOOP}, std::pair{"/proc/1/root", ELOOP}}) {
    Command command = shell("true");
    command.cwd = cwd;
    const auto outcome = room_->run(command);
    ASSERT_TRUE(outcome.failed) << cwd;
    EXPECT_EQ(outcome.failed->step, "cwd") << cwd;
    EXPECT_EQ(outcome.failed->error_number, error) << cwd;
  }
}

TEST_F(RoomCommands, HasNoDescriptorsButTheThree) {
  // The listing itself holds the directory open as one more.
  EXPECT_EQ(room_->sh("exec ls /proc/self/fd").out, "0\n1\n2\n3\n");
}

TEST_F(RoomCommands, RunsArgumentsLongerThanAPacket) {
  Command command = shell("echo ${#A} $#");
  command.argv.insert(command.argv.end(), {"zero", std::string(100'000, 'x'), std::string(100'000, 'y')});
  command.env.push_back("A=" + std::string(120'000, 'z'));
  EXPECT_EQ(room_->run(command).out, "120000 2\n");
}

TEST_F(RoomCommands, RunsManyArguments) {
  Command command = shell("echo $#");
  command.argv.insert(command.argv.end(), 20'000, "a");
  EXPECT_EQ(room_->run(command).out, "19999\n");
}

TEST_F(RoomCommands, RefusesWhatCannotBeACommand) {
  Command command;
  EXPECT_FALSE(room_->room().start(1, command, {}));
  command.argv = {std::string("/bin/true\0x", 11)};
  EXPECT_FALSE(room_->room().start(1, command, {}));
}

TEST_F(RoomCommands, RefusesANumberThatIsInUse) {
  const auto id = room_->launch("exec sleep 100");
  ASSERT_TRUE(room_->room().start(id, shell("true"), {}));
  const auto event = room_->wait_event();
  ASSERT_TRUE(event && std::holds_alternative<StartFailed>(*event));
  EXPECT_TRUE(room_->kill(id));
}

TEST_F(RoomCommands, SignalsTheProcessGroup) {
  const auto id = room_->launch("sleep 100");
  ASSERT_TRUE(room_->room().signal(id, SIGTERM));
  const auto exited = room_->wait_exit(id);
  ASSERT_TRUE(exited);
  EXPECT_EQ(WTERMSIG(exited->wait_status), SIGTERM);
  EXPECT_TRUE(room_->room().signal(id, SIGTERM));  // harmless when it is gone
  EXPECT_EQ(room_->sh("true").exit_code(), 0);
}

TEST_F(RoomCommands, StartsWithDefaultSignalsAndAFreshSession) {
  const auto outcome =
      room_->sh("grep -E 'Sig(Ign|Blk|Cgt)' /proc/self/status; ps -o sid= -p $$ | tr -d ' '; echo $$; umask");
  EXPECT_THAT(outcome.out, HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(outcome.out, HasSubstr("SigIgn:\t0000000000000000"));
  EXPECT_THAT(outcome.out, HasSubstr("0022"));
}

TEST_F(RoomCommands, LimitsProcessorTime) {
  Command command = shell("while :; do :; done");
  command.cpu_seconds = 1;
  const auto outcome = room_->run(command);
  EXPECT_THAT(outcome.signal(), ::testing::AnyOf(SIGXCPU, SIGKILL));
}

TEST_F(RoomCommands, CountsWhatItUsed) {
  const auto outcome = room_->sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
  EXPECT_GT(outcome.usage.ru_utime.tv_sec * 1'000'000 + outcome.usage.ru_utime.tv_usec, 5'000);
}

TEST_F(RoomCommands, HasNoEnvironmentOfTheServerWhenCleanEnvHolds) {
  ASSERT_EQ(::setenv("BERTH_TEST_SECRET", "canary", 1), 0);
  EXPECT_EQ(room_->sh("env; cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'").out.find("canary"), std::string::npos);
}

}  // namespace
}  // namespace berth::isolation::test
