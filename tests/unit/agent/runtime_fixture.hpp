// SPDX-License-Identifier: Apache-2.0
// A runtime whose containers are fake servers inside the test.
#pragma once

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "agent/runtime/runtime.hpp"
#include "tests/support/fake_slotd.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::agent {

// Containers are fake servers on this loop; the test can kill them.
class FakeDriver final : public drivers::Driver {
 public:
  FakeDriver(boost::asio::io_context& context, std::string directory)
      : context_(context), directory_(std::move(directory)) {}

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  void watch(drivers::Watcher watcher) override { watcher_ = std::move(watcher); }

  void converge(std::vector<drivers::Wanted> wanted) override {
    for (const drivers::Wanted& each : wanted)
      if (!servers.contains(each.spec.id) && !ended_.contains(each.spec.id)) start(each.spec);
    std::vector<std::string> extra;
    for (const auto& [id, server] : servers)
      if (std::none_of(wanted.begin(), wanted.end(), [&id](const auto& each) { return each.spec.id == id; }))
        extra.push_back(id);
    for (const std::string& id : extra) end(id, std::nullopt);
  }

  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<drivers::ContainerFacts>>> adopt() override {
    co_return std::vector<drivers::ContainerFacts>{};
  }

  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline) override {
    converge({});
    co_await boost::asio::post(context_, boost::asio::use_awaitable);
    co_return Expected<void>{};
  }

  [[nodiscard]] boost::asio::awaitable<Expected<drivers::Usage>> usage(std::string id, Deadline) override {
    co_return tl::unexpected(drivers::unknown_container(id));
  }
  [[nodiscard]] boost::asio::awaitable<Expected<drivers::LogPart>> read_log(std::string id, std::string,
                                                                            Deadline) override {
    co_return tl::unexpected(drivers::unknown_container(id));
  }

  void stop_all(Deadline) override {}
  void kill_all() override {}

  // By value: the name is often that of the entry which goes.
  void kill(std::string id) {
    servers.at(id)->die();
    end(id, Error{"container_ended", "it was killed by the test", {}});
  }

  testing::FakeOptions options;
  std::optional<Error> start_error;
  std::map<std::string, std::unique_ptr<testing::FakeSlotd>> servers;
  unsigned starts = 0;

 private:
  void start(const ContainerSpec& spec) {
    ++starts;
    drivers::ContainerFacts facts;
    facts.id = spec.id;
    facts.slots = spec.slots;
    if (start_error) return end(spec.id, start_error);
    options.slots = spec.slots;
    options.boot_id = "boot-of-" + spec.id;
    auto server = std::make_unique<testing::FakeSlotd>(context_, options);
    facts.address = server->listen("unix:" + directory_ + "/" + spec.id);
    facts.boot_id = options.boot_id;
    facts.state = drivers::ContainerState::running;
    servers[spec.id] = std::move(server);
    tell(facts);
  }

  void end(std::string id, std::optional<Error> why) {
    drivers::ContainerFacts facts;
    facts.id = id;
    facts.state = drivers::ContainerState::gone;
    facts.error = std::move(why);
    // Its coroutines still hold it.
    if (servers.contains(id)) buried_.push_back(std::move(servers.at(id)));
    servers.erase(id);
    ended_.insert(id);
    tell(facts);
  }

  void tell(const drivers::ContainerFacts& facts) {
    boost::asio::post(context_, [this, facts] { watcher_(facts); });
  }

  boost::asio::io_context& context_;
  std::string directory_;
  drivers::Watcher watcher_;
  std::set<std::string> ended_;
  std::vector<std::unique_ptr<testing::FakeSlotd>> buried_;
};

class RuntimeTest : public ::testing::Test {
 protected:
  void SetUp() override { begin({}); }

  void begin(RuntimeOptions options) {
    runtime = std::make_shared<Runtime>(loop.context, driver, std::move(options));
    ASSERT_TRUE(loop.run(runtime->start()).has_value());
  }

  void TearDown() override {
    static_cast<void>(loop.run(runtime->stop(Deadline(std::chrono::steady_clock::now() + std::chrono::seconds(5)))));
    loop.spin(std::chrono::milliseconds(1));
  }

  static jobs::Job job(unsigned slots = 2, unsigned max = 1) {
    jobs::Job result;
    result.name = "pool";
    result.slots = slots;
    result.containers.max = max;
    return result;
  }

  Expected<pool::Lease> acquire(const std::string& trajectory,
                                std::chrono::milliseconds wait = std::chrono::seconds(10)) {
    return loop.run(runtime->acquire(request(trajectory, wait)));
  }

  static AcquireRequest request(const std::string& trajectory,
                                std::chrono::milliseconds wait = std::chrono::seconds(10)) {
    AcquireRequest wanted;
    wanted.job = "pool";
    wanted.trajectory = trajectory;
    wanted.wait = Deadline(std::chrono::steady_clock::now() + wait);
    return wanted;
  }

  static LeaseCall bash(const std::string& command) {
    LeaseCall call;
    call.tool = "bash";
    call.args = "{\"command\":\"" + command + "\"}";
    return call;
  }

  testing::FakeSlotd& server() { return *driver.servers.begin()->second; }

  testing::TempDir directory;
  testing::Loop loop;
  FakeDriver driver{loop.context, directory.path()};
  std::shared_ptr<Runtime> runtime;
};

}  // namespace berth::agent
