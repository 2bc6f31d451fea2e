// SPDX-License-Identifier: Apache-2.0
// The driver against an engine that the test holds in its hand.
#pragma once

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "drivers/docker/docker_driver.hpp"
#include "drivers/paths.hpp"
#include "tests/support/fake_engine.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::drivers {

class DockerDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine = std::make_unique<testing::FakeEngine>(loop.context);
    engine->images["debian"] = R"({"Id":"sha256:d","Config":{"Env":["PATH=/bin","A=b"],"User":"app"}})";
    engine->listen(directory / "engine");
    std::filesystem::create_directory(directory / "state");
    slotd = directory / "slotd";
    std::filesystem::copy_file("/proc/self/cmdline", slotd);
    make_driver();
  }

  void TearDown() override {
    driver.reset();
    engine->away();
    loop.spin(std::chrono::milliseconds(5));
  }

  void make_driver() {
    DockerOptions options;
    options.endpoint = *docker::find_endpoint({"unix:" + (directory / "engine"), false, ""});
    options.state_dir = directory / "state";
    options.slotd = slotd;
    options.agent_id = "agent-7";
    options.start_limit = start_limit;
    options.stop_limit = std::chrono::milliseconds(400);
    options.engine_limit = engine_limit;
    options.event_silence = event_silence;
    options.retry_pause = std::chrono::milliseconds(20);
    options.tell = [this](const std::string& line) { told.push_back(line); };
    options.tell_every = std::chrono::milliseconds(0);
    options.registry_config = directory / "docker.json";
    driver = std::make_unique<DockerDriver>(loop.context, options);
    driver->watch([this](const ContainerFacts& facts) { heard.push_back(facts); });
  }

  static Wanted wanted(const std::string& id, const std::string& image = "debian") {
    Wanted result;
    result.spec.id = id;
    result.spec.slots = 2;
    result.driver = "docker";
    result.job = "job-1";
    result.image = image;
    return result;
  }

  void until_heard(std::size_t count) {
    loop.until([this, count] { return heard.size() >= count; });
  }
  // Also that the event stream is up: what happens from now on is told.
  void bring_up(const std::string& id) {
    driver->converge({wanted(id)});
    until_heard(1);
    ASSERT_EQ(heard[0].state, ContainerState::running);
    loop.until([this] { return engine->event_streams >= 1 && asked("GET /v1.41/containers/json"); });
  }
  [[nodiscard]] bool asked(const std::string& what) const {
    for (const std::string& each : engine->requests)
      if (each.starts_with(what)) return true;
    return false;
  }
  [[nodiscard]] Error error_of(std::size_t index) const {
    EXPECT_EQ(heard.at(index).state, ContainerState::gone);
    return heard.at(index).error.value_or(Error{});
  }
  Expected<void> remove(std::chrono::milliseconds graceful) {
    return loop.run(driver->remove(Deadline(now() + graceful)));
  }
  [[nodiscard]] std::string folder(const std::string& id) const {
    return containers_path(directory / "state") + "/" + id;
  }

  std::chrono::milliseconds start_limit{2'000};
  std::chrono::milliseconds engine_limit{2'000};
  std::chrono::milliseconds event_silence{60'000};
  testing::TempDir directory;
  testing::Loop loop;
  std::string slotd;
  std::unique_ptr<testing::FakeEngine> engine;
  std::vector<ContainerFacts> heard;
  std::vector<std::string> told;
  std::unique_ptr<DockerDriver> driver;
};

}  // namespace berth::drivers
