// SPDX-License-Identifier: Apache-2.0
// What happens to containers behind the driver's back, and to the engine itself.
#include "tests/unit/docker/driver_fixture.hpp"

namespace berth::drivers {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(DockerDriverTest, ADeathIsToldWithItsExitCodeAndLastWords) {
  bring_up("c1");
  engine->die("berth-c1", 137);
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_ended");
  EXPECT_THAT(error_of(1).message, HasSubstr("exit code 137"));
  EXPECT_THAT(error_of(1).message, HasSubstr("the last line of its log"));
  EXPECT_THAT(engine->containers, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder("c1")));
}

TEST_F(DockerDriverTest, ADeathForWantOfMemorySaysSo) {
  bring_up("c1");
  engine->out_of_memory("berth-c1");
  until_heard(2);
  EXPECT_THAT(error_of(1).message, HasSubstr("memory"));
  EXPECT_THAT(error_of(1).hint, HasSubstr("resources.memory"));
}

TEST_F(DockerDriverTest, APausedContainerIsGoneAndRemoved) {
  bring_up("c1");
  engine->pause("berth-c1");
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_paused");
  EXPECT_THAT(engine->containers, IsEmpty());
}

TEST_F(DockerDriverTest, AContainerThatSomebodyRemovedIsGone) {
  bring_up("c1");
  engine->remove("berth-c1");
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_removed");
  EXPECT_THAT(engine->volumes, IsEmpty());
}

// An engine that finds two mounts at one place says so after it has made the volume, and forgets that.
TEST_F(DockerDriverTest, TheVolumeOfAContainerThatTheEngineRefusesLateGoes) {
  engine->refuse_late = "Duplicate mount point: /.berth/groups/cpu";
  driver->converge({wanted("c1")});
  until_heard(1);
  EXPECT_THAT(error_of(0).message, HasSubstr("Duplicate mount point"));
  EXPECT_TRUE(asked("POST /v1.41/containers/create"));
  EXPECT_THAT(engine->volumes, IsEmpty());
}

TEST_F(DockerDriverTest, AVolumeThatIsInUseForAMomentGoesAfterIt) {
  bring_up("c1");
  engine->volumes_in_use = 2;
  engine->remove("berth-c1");
  until_heard(2);
  EXPECT_EQ(engine->volumes_in_use, 0U);
  EXPECT_THAT(engine->volumes, IsEmpty());
}

// Row 55: the name is somebody else's by the time of the end, and no event has told it.
TEST_F(DockerDriverTest, WhoHasTheNameOfAContainerThatWentIsLeftAlone) {
  bring_up("c1");
  engine->remove("berth-c1", false);
  engine->put_foreign("stranger", {"berth-c1", "running", {}, "", "", ""});
  driver->converge({});
  until_heard(2);
  ASSERT_NE(engine->find("berth-c1"), nullptr);
  EXPECT_EQ(engine->find("berth-c1")->state, "running");
  EXPECT_THAT(engine->signals, IsEmpty());
}

TEST_F(DockerDriverTest, VolumesOfOthersAreLeftToThem) {
  engine->volumes["data"] = {};
  engine->volumes["theirs"] = {{"io.berth.agent", "agent-8"}, {"io.berth.container", "c1"}};
  bring_up("c1");
  EXPECT_EQ(engine->volumes.size(), 3U);
  driver->converge({});
  until_heard(2);
  EXPECT_EQ(engine->volumes.count("data"), 1U);
  EXPECT_EQ(engine->volumes.count("theirs"), 1U);
  EXPECT_EQ(engine->volumes.size(), 2U);
}

TEST_F(DockerDriverTest, WhatHasDiedIsNotStartedAgainByItself) {
  bring_up("c1");
  engine->die("berth-c1", 1);
  until_heard(2);
  driver->converge({wanted("c1")});
  loop.spin(std::chrono::milliseconds(50));
  EXPECT_EQ(heard.size(), 2U);
}

TEST_F(DockerDriverTest, ADeathThatFellBetweenTwoStreamsIsSeenInTheList) {
  bring_up("c1");
  engine->die("berth-c1", 3, false);
  engine->cut_events();
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_ended");
  EXPECT_THAT(error_of(1).message, HasSubstr("exit code 3"));
  EXPECT_THAT(error_of(1).message, HasSubstr("the last line of its log"));
  EXPECT_GE(engine->event_streams, 2U);
}

TEST_F(DockerDriverTest, ADeathForWantOfMemoryThatNobodySawSaysSoToo) {
  bring_up("c1");
  engine->find("berth-c1")->out_of_memory = true;
  engine->find("berth-c1")->error = "the engine's words";
  engine->die("berth-c1", 137, false);
  engine->cut_events();
  until_heard(2);
  EXPECT_THAT(error_of(1).message, HasSubstr("exit code 137, after the kernel had found it short of memory"));
  EXPECT_THAT(error_of(1).message, HasSubstr("the engine's words"));
  EXPECT_THAT(error_of(1).hint, HasSubstr("resources.memory"));
}

TEST_F(DockerDriverTest, ARemovalThatFellBetweenTwoStreamsIsSeenInTheList) {
  bring_up("c1");
  engine->remove("berth-c1", false);
  engine->cut_events();
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_removed");
}

TEST_F(DockerDriverTest, AStreamThatSaysNothingIsOpenedAnew) {
  event_silence = std::chrono::milliseconds(50);
  make_driver();
  bring_up("c1");
  engine->die("berth-c1", 1, false);
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_ended");
}

TEST_F(DockerDriverTest, ContainersLiveOnWhileTheEngineIsAway) {
  bring_up("c1");
  const unsigned before = engine->event_streams;
  engine->away();
  loop.spin(std::chrono::milliseconds(100));
  EXPECT_EQ(heard.size(), 1U);
  engine->listen(directory / "engine");
  loop.until([this, before] { return engine->event_streams > before; });
  engine->die("berth-c1", 1);
  until_heard(2);
  EXPECT_EQ(error_of(1).code, "container_ended");
}

TEST_F(DockerDriverTest, AnEndWaitsForAnEngineThatIsAway) {
  bring_up("c1");
  engine->away();
  driver->converge({});
  loop.spin(std::chrono::milliseconds(100));
  EXPECT_EQ(heard.size(), 1U);
  engine->listen(directory / "engine");
  until_heard(2);
  EXPECT_FALSE(heard[1].error.has_value());
  EXPECT_THAT(engine->containers, IsEmpty());
}

TEST_F(DockerDriverTest, WhatAnEarlierLifeLeftIsRemovedWhenTheEngineIsBack) {
  engine->away();
  ASSERT_TRUE(loop.run(driver->adopt()).has_value());
  engine->listen(directory / "engine");
  engine->put_foreign(
      "a", {"berth-x-1", "exited", {{"io.berth.agent", "agent-7"}, {"io.berth.container", "x-1"}}, "", "", ""});
  driver->converge({wanted("c1")});
  loop.until([this] { return engine->find("berth-x-1") == nullptr; });
  until_heard(1);
  EXPECT_EQ(heard[0].state, ContainerState::running);
}

}  // namespace
}  // namespace berth::drivers
