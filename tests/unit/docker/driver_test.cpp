// SPDX-License-Identifier: Apache-2.0
// Containers on their way up and down.
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "tests/unit/docker/driver_fixture.hpp"

namespace berth::drivers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST_F(DockerDriverTest, StartsWhatIsWantedAndTellsItsAddressAndBoot) {
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(heard[0].state, ContainerState::running);
  EXPECT_EQ(heard[0].address, "unix:" + folder("c1") + "/sock");
  EXPECT_EQ(heard[0].boot_id, "boot-1");
  EXPECT_EQ(heard[0].slots, 2U);
  ASSERT_NE(engine->find("berth-c1"), nullptr);
  EXPECT_EQ(engine->find("berth-c1")->labels.at("io.berth.agent"), "agent-7");
  EXPECT_EQ(engine->find("berth-c1")->labels.at("io.berth.job"), "job-1");
}

TEST_F(DockerDriverTest, TheContainerFindsTheServerAndItsConfiguration) {
  bring_up("c1");
  const std::string& body = engine->find("berth-c1")->body;
  EXPECT_THAT(body, HasSubstr(R"("ReadOnly":true,"Source":")" + slotd + R"(","Target":"/.berth/slotd")"));
  EXPECT_THAT(body, HasSubstr(R"("--config","/.berth/run/config.json")"));
  EXPECT_EQ(engine->find("berth-c1")->files, "");
  const auto config = read_file(folder("c1") + "/config.json");
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(*config, HasSubstr("\"image_env\":[\"PATH=/bin\",\"A=b\"]"));
  EXPECT_THAT(*config, HasSubstr("\"user\":\"app\""));
}

TEST_F(DockerDriverTest, TheServerIsSentToAnEngineThatDoesNotSeeItsFile) {
  engine->unseen = slotd;
  bring_up("c1");
  const std::string& tar = engine->find("berth-c1")->files;
  ASSERT_TRUE(read_file(slotd).has_value());
  EXPECT_THAT(tar, StartsWith("slotd"));
  EXPECT_THAT(tar, HasSubstr(*read_file(slotd)));
  EXPECT_EQ(tar.size() % 512, 0U);
  EXPECT_THAT(engine->find("berth-c1")->body, ::testing::Not(HasSubstr(slotd)));
}

TEST_F(DockerDriverTest, StopsWhatIsNoLongerWantedAndLeavesNothing) {
  driver->converge({wanted("c1"), wanted("c2")});
  until_heard(2);
  driver->converge({wanted("c2")});
  until_heard(3);
  EXPECT_EQ(heard[2].id, "c1");
  EXPECT_EQ(heard[2].state, ContainerState::gone);
  EXPECT_FALSE(heard[2].error.has_value());
  EXPECT_EQ(engine->find("berth-c1"), nullptr);
  EXPECT_NE(engine->find("berth-c2"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(folder("c1")));
  EXPECT_THAT(engine->signals, Contains("stop 1"));
}

TEST_F(DockerDriverTest, ConvergingTwiceStartsNothingTwice) {
  driver->converge({wanted("c1")});
  driver->converge({wanted("c1")});
  until_heard(1);
  loop.spin(std::chrono::milliseconds(50));
  EXPECT_EQ(heard.size(), 1U);
  EXPECT_EQ(engine->containers.size(), 1U);
}

TEST_F(DockerDriverTest, AStubbornServerIsKilledAtTheDeadline) {
  engine->stubborn = true;
  bring_up("c1");
  driver->converge({});
  until_heard(2);
  EXPECT_THAT(engine->signals, Contains("SIGKILL"));
  EXPECT_THAT(engine->containers, IsEmpty());
}

TEST_F(DockerDriverTest, RemoveEndsContainersThatAreStillStarting) {
  engine->ready_line.clear();
  driver->converge({wanted("c1")});
  loop.until([this] { return asked("POST /v1.41/containers/") && engine->find("berth-c1") != nullptr; });
  ASSERT_TRUE(remove(std::chrono::milliseconds(500)).has_value());
  EXPECT_THAT(engine->containers, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder("c1")));
}

TEST_F(DockerDriverTest, AStartThatFailsSaysWhatTheServerSaid) {
  engine->ready_line = R"({"ok":false,"error":{"code":"isolation","message":"strict needs X","hint":"do Y"}})";
  engine->die_at_start = true;
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "isolation");
  EXPECT_EQ(error_of(0).hint, "do Y");
  EXPECT_THAT(engine->containers, IsEmpty());
}

TEST_F(DockerDriverTest, AServerThatDiesBeforeItIsReadyIsShownWithItsLastWords) {
  engine->ready_line.clear();
  engine->die_at_start = true;
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "container_ended");
  EXPECT_THAT(error_of(0).message, HasSubstr("exit code 1"));
  EXPECT_THAT(error_of(0).message, HasSubstr("the last line of its log"));
}

TEST_F(DockerDriverTest, ASilentServerIsGivenUpAtTheStartLimit) {
  start_limit = std::chrono::milliseconds(100);
  make_driver();
  engine->ready_line.clear();
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "start_timeout");
  EXPECT_THAT(engine->containers, IsEmpty());
}

TEST_F(DockerDriverTest, ARefusalIsTheEnginesOwnWords) {
  engine->refusals["POST /containers/create"] = {500, "no space left on device"};
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "engine_refused");
  EXPECT_THAT(error_of(0).message, HasSubstr("no space left on device"));
}

TEST_F(DockerDriverTest, AnEngineThatDoesNotSeeOurFoldersIsOnAnotherMachine) {
  engine->refusals["POST /containers/create"] = {
      400, "invalid mount config for type \"bind\": bind source path does not exist: /x"};
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "docker_elsewhere");
  EXPECT_THAT(error_of(0).hint, HasSubstr("BERTH_ADDR"));
}

TEST_F(DockerDriverTest, WhyItDidNotStartIsToldEvenWhereItWasGoneAtOnce) {
  engine->refuse_start = "network no-such not found";
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "engine_missing");
  EXPECT_THAT(error_of(0).message, HasSubstr("network no-such not found"));
}

TEST_F(DockerDriverTest, AContainerWhoseCreationWasNeverAnsweredIsFoundAndRemoved) {
  engine_limit = std::chrono::milliseconds(100);
  make_driver();
  engine->silent.insert("POST /containers/create");
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "engine_timeout");
  EXPECT_THAT(engine->containers, IsEmpty());
}

TEST_F(DockerDriverTest, ANameThatSomebodyElseUsesIsLeftToThem) {
  engine->put_foreign(
      "f", {"berth-c1", "running", {{"io.berth.agent", "another"}, {"io.berth.container", "c1"}}, "", "", ""});
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "engine_conflict");
  EXPECT_NE(engine->find("berth-c1"), nullptr);
}

TEST_F(DockerDriverTest, ANameThatThisAgentLeftIsTakenBack) {
  engine->put_foreign(
      "f", {"berth-c1", "exited", {{"io.berth.agent", "agent-7"}, {"io.berth.container", "c1"}}, "", "", ""});
  bring_up("c1");
  EXPECT_EQ(engine->containers.size(), 1U);
  EXPECT_EQ(engine->containers.count("f"), 0U);
}

TEST_F(DockerDriverTest, WhatAnEarlierLifeLeftIsRemovedAndNothingElse) {
  engine->put_foreign(
      "a", {"berth-x-1", "running", {{"io.berth.agent", "agent-7"}, {"io.berth.container", "x-1"}}, "", "", ""});
  engine->put_foreign(
      "b", {"berth-y-1", "running", {{"io.berth.agent", "agent-8"}, {"io.berth.container", "y-1"}}, "", "", ""});
  engine->put_foreign("c", {"web", "running", {}, "", "", ""});
  std::filesystem::create_directories(folder("x-1"));
  const auto found = loop.run(driver->adopt());
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(*found, IsEmpty());
  EXPECT_EQ(engine->find("berth-x-1"), nullptr);
  EXPECT_NE(engine->find("berth-y-1"), nullptr);
  EXPECT_NE(engine->find("web"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(folder("x-1")));
}

TEST_F(DockerDriverTest, AnEngineThatIsAwayIsNoErrorUntilAContainerIsWanted) {
  engine->away();
  ASSERT_TRUE(loop.run(driver->adopt()).has_value());
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "engine_away");
  EXPECT_THAT(error_of(0).hint, HasSubstr("systemctl start docker"));
}

}  // namespace
}  // namespace berth::drivers
