// SPDX-License-Identifier: Apache-2.0
// The local driver with real processes (the fake slot server as a program).
#include "drivers/local/local_driver.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/local/locate.hpp"
#include "drivers/paths.hpp"
#include "drivers/local/process.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::drivers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LocalDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    LocalOptions options;
    options.state_dir = directory.path();
    options.slotd = BERTH_FAKE_SLOTD;
    options.start_limit = std::chrono::milliseconds(1'000);
    options.stop_limit = std::chrono::milliseconds(400);
    driver = std::make_unique<LocalDriver>(loop.context, options);
    driver->watch([this](const ContainerFacts& facts) { heard.push_back(facts); });
  }

  void TearDown() override { static_cast<void>(remove(std::chrono::seconds(5))); }

  static Wanted spec(const std::string& id, const std::string& start = "", const std::string& stop = "") {
    Wanted result;
    result.spec.id = id;
    result.spec.slots = 2;
    if (!start.empty()) result.spec.env["FAKE_START"] = start;
    if (!stop.empty()) result.spec.env["FAKE_STOP"] = stop;
    return result;
  }

  Expected<void> remove(std::chrono::milliseconds graceful) {
    return loop.run(driver->remove(Deadline(std::chrono::steady_clock::now() + graceful)));
  }

  void until_heard(std::size_t count) {
    loop.until([this, count] { return heard.size() >= count; });
  }

  [[nodiscard]] bool anything_left() const { return !std::filesystem::is_empty(containers_path(directory.path())); }

  testing::TempDir directory;
  testing::Loop loop;
  std::unique_ptr<LocalDriver> driver;
  std::vector<ContainerFacts> heard;
};

TEST_F(LocalDriverTest, StartsWhatIsWantedAndTellsItsAddressAndBoot) {
  driver->converge({spec("c1")});
  until_heard(1);
  EXPECT_EQ(heard[0].state, ContainerState::running);
  EXPECT_EQ(heard[0].address, "unix:" + container_paths(directory.path(), "c1").socket());
  EXPECT_FALSE(heard[0].boot_id.empty());
  struct stat facts {};
  ASSERT_EQ(::stat(container_paths(directory.path(), "c1").root.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700U);
}

TEST_F(LocalDriverTest, StopsWhatIsNoLongerWantedAndLeavesNothing) {
  driver->converge({spec("c1"), spec("c2")});
  until_heard(2);
  driver->converge({spec("c2")});
  until_heard(3);
  EXPECT_EQ(heard[2].id, "c1");
  EXPECT_EQ(heard[2].state, ContainerState::gone);
  EXPECT_FALSE(heard[2].error.has_value());
  EXPECT_FALSE(std::filesystem::exists(container_paths(directory.path(), "c1").root));
  EXPECT_TRUE(std::filesystem::exists(container_paths(directory.path(), "c2").root));
}

TEST_F(LocalDriverTest, ConvergingTwiceStartsNothingTwice) {
  driver->converge({spec("c1")});
  driver->converge({spec("c1")});
  until_heard(1);
  loop.spin(std::chrono::milliseconds(100));
  EXPECT_EQ(heard.size(), 1U);
}

TEST_F(LocalDriverTest, ADeathIsToldPromptlyWithTheLastWords) {
  driver->converge({spec("c1", "late_death")});
  until_heard(1);
  const auto before = std::chrono::steady_clock::now();
  until_heard(2);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
  EXPECT_EQ(heard[1].state, ContainerState::gone);
  ASSERT_TRUE(heard[1].error.has_value());
  EXPECT_THAT(heard[1].error->message, HasSubstr("signal 6"));
  EXPECT_FALSE(anything_left());
}

TEST_F(LocalDriverTest, WhatHasDiedIsNotStartedAgainByItself) {
  driver->converge({spec("c1", "die")});
  until_heard(1);
  driver->converge({spec("c1", "die")});
  loop.spin(std::chrono::milliseconds(100));
  EXPECT_EQ(heard.size(), 1U);
}

TEST_F(LocalDriverTest, AStartThatFailsSaysWhatTheServerSaid) {
  driver->converge({spec("c1", "setup_failed")});
  until_heard(1);
  EXPECT_EQ(heard[0].state, ContainerState::gone);
  ASSERT_TRUE(heard[0].error.has_value());
  EXPECT_EQ(heard[0].error->code, "setup_failed");
  EXPECT_THAT(heard[0].error->message, HasSubstr("exit code 7"));
  EXPECT_EQ(heard[0].error->hint, "run it by hand");
  EXPECT_FALSE(anything_left());
}

TEST_F(LocalDriverTest, ADeathBeforeTheReadyLineShowsTheLog) {
  driver->converge({spec("c1", "die")});
  until_heard(1);
  ASSERT_TRUE(heard[0].error.has_value());
  EXPECT_THAT(heard[0].error->message, HasSubstr("no room for a keeper"));
}

TEST_F(LocalDriverTest, ASilentServerIsGivenUpAtTheStartLimit) {
  driver->converge({spec("c1", "silent")});
  const auto before = std::chrono::steady_clock::now();
  until_heard(1);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5 * std::chrono::seconds(1));
  ASSERT_TRUE(heard[0].error.has_value());
  EXPECT_EQ(heard[0].error->code, "start_timeout");
  EXPECT_FALSE(anything_left());
}

TEST_F(LocalDriverTest, AStubbornServerIsKilledAtTheDeadline) {
  driver->converge({spec("c1", "", "stubborn")});
  until_heard(1);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(remove(std::chrono::milliseconds(300)).has_value());
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, std::chrono::milliseconds(290));
  EXPECT_LT(took, 5 * std::chrono::milliseconds(300));
  EXPECT_FALSE(anything_left());
}

TEST_F(LocalDriverTest, RemoveEndsContainersThatAreStillStarting) {
  driver->converge({spec("c1", "silent")});
  loop.spin(std::chrono::milliseconds(50));
  EXPECT_TRUE(remove(std::chrono::seconds(2)).has_value());
  EXPECT_FALSE(anything_left());
}

TEST_F(LocalDriverTest, AdoptingRemovesWhatAKilledLifeLeft) {
  std::filesystem::create_directories(container_paths(directory.path(), "old").data());
  const auto adopted = loop.run(driver->adopt());
  ASSERT_TRUE(adopted.has_value());
  EXPECT_TRUE(adopted->empty());
  EXPECT_FALSE(anything_left());
}

TEST_F(LocalDriverTest, AProgramThatDoesNotExistIsAnError) {
  LocalOptions options;
  options.state_dir = directory.path();
  options.slotd = "/nowhere/berth-slotd";
  LocalDriver other(loop.context, options);
  std::vector<ContainerFacts> told;
  other.watch([&told](const ContainerFacts& facts) { told.push_back(facts); });
  other.converge({spec("c9")});
  loop.until([&told] { return told.size() == 1; });
  ASSERT_TRUE(told[0].error.has_value());
  EXPECT_THAT(told[0].error->message, HasSubstr("/nowhere/berth-slotd"));
}

TEST(ChildProcess, GetsOnlyWhatItIsGiven) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe.has_value());
  ::setenv("BERTH_TEST_SECRET", "secret", 1);
  SpawnRequest request;
  request.argv = {"/bin/sh", "-c", "env; ls /proc/self/fd | tr '\\n' ' '; pwd"};
  request.environment = {"A=1"};
  request.descriptors = {{pipe->write.get(), 1}};
  auto child = ChildProcess::spawn(request);
  ASSERT_TRUE(child.has_value());
  pipe->write.reset();
  const auto text = read_all(pipe->read.get(), 10'000);
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, HasSubstr("A=1"));
  EXPECT_THAT(*text, ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(*text, HasSubstr("0 1 2 3 /\n"));  // 3: the folder that ls reads
}

class Locate : public ::testing::Test {
 protected:
  std::string program(const std::string& folder) {
    std::filesystem::create_directories(directory / folder);
    const std::string path = directory / folder + "/berth-slotd";
    std::ofstream(path) << "#!/bin/sh\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  testing::TempDir directory;
};

TEST_F(Locate, AFlagBeatsTheVariableBeatsTheProgramsFolderBeatsPath) {
  const SlotdSearch search{program("flag"), program("env"), directory / "bin", directory / "path"};
  const std::string beside = program("bin");
  const std::string libexec = program("libexec/berth");
  const std::string path = program("path");
  SlotdSearch left = search;
  EXPECT_EQ(*find_slotd(left), search.flag);
  left.flag.clear();
  EXPECT_EQ(*find_slotd(left), search.environment);
  left.environment.clear();
  EXPECT_EQ(*find_slotd(left), beside);
  std::filesystem::remove(beside);
  EXPECT_TRUE(std::filesystem::equivalent(*find_slotd(left), libexec));
  std::filesystem::remove(libexec);
  EXPECT_EQ(*find_slotd(left), path);
}

TEST_F(Locate, WhatWasAskedForIsNeverReplaced) {
  const SlotdSearch search{directory / "missing", "", directory / "bin", ""};
  program("bin");
  const auto found = find_slotd(search);
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().message, HasSubstr("--slotd names"));
}

TEST_F(Locate, TheErrorListsEveryPlaceTried) {
  const auto found = find_slotd({"", "", directory / "bin", "relative:" + directory / "a" + "::" + directory / "b"});
  ASSERT_FALSE(found.has_value());
  for (const char* place :
       {"/bin/berth-slotd", "/bin/../libexec/berth/berth-slotd", "/a/berth-slotd", "/b/berth-slotd"})
    EXPECT_THAT(found.error().message, HasSubstr(directory.path() + place));
  EXPECT_THAT(found.error().message, ::testing::Not(HasSubstr("relative")));
}

}  // namespace
}  // namespace berth::drivers
