// SPDX-License-Identifier: Apache-2.0
// The runtime over the real pool, the real link and fake servers inside the test.
#include "agent/runtime/runtime.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_slotd.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::agent {
namespace {

using testing::FakeSlotd;
using ::testing::HasSubstr;

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

  void stop_all(Deadline) override {}
  void kill_all() override {}

  void kill(const std::string& id) {
    servers.at(id)->die();
    end(id, Error{"container_ended", "it was killed by the test", {}});
  }

  testing::FakeOptions options;
  std::optional<Error> start_error;
  std::map<std::string, std::unique_ptr<FakeSlotd>> servers;
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
    auto server = std::make_unique<FakeSlotd>(context_, options);
    facts.address = server->listen("unix:" + directory_ + "/" + spec.id);
    facts.boot_id = options.boot_id;
    facts.state = drivers::ContainerState::running;
    servers[spec.id] = std::move(server);
    tell(facts);
  }

  void end(const std::string& id, std::optional<Error> why) {
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
  std::vector<std::unique_ptr<FakeSlotd>> buried_;
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

  FakeSlotd& server() { return *driver.servers.begin()->second; }

  testing::TempDir directory;
  testing::Loop loop;
  FakeDriver driver{loop.context, directory.path()};
  std::shared_ptr<Runtime> runtime;
};

TEST_F(RuntimeTest, AnAcquiredSlotRunsCalls) {
  runtime->apply(job());
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value()) << lease.error().message;
  const auto result = loop.run(runtime->call(lease->id, bash("echo hello")));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->output, "hello");
  EXPECT_EQ(result->execution_id.size(), 32U);  // 128 random bits
}

TEST_F(RuntimeTest, ATrajectoryKeepsItsSlot) {
  runtime->apply(job());
  const auto first = acquire("t1");
  const auto again = acquire("t1");
  const auto other = acquire("t2");
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->id, again->id);
  EXPECT_NE(first->slot, other->slot);
}

TEST_F(RuntimeTest, AReleasedSlotIsResetBeforeTheNextOneGetsIt) {
  runtime->apply(job(1));
  const auto first = acquire("t1");
  ASSERT_TRUE(first.has_value());
  auto waiting = loop.start(runtime->acquire(request("t2")));
  loop.spin(std::chrono::milliseconds(20));
  EXPECT_FALSE(waiting->has_value());
  EXPECT_TRUE(server().resets.empty());
  runtime->release(first->id);
  loop.until([&waiting] { return waiting->has_value(); });
  ASSERT_TRUE((*waiting)->has_value());
  EXPECT_EQ(server().resets.size(), 1U);
  EXPECT_GT((**waiting)->generation, first->generation);
}

TEST_F(RuntimeTest, ASlotWhoseResetFailsIsNotHandedOutUntilOneSucceeds) {
  driver.options.fail_resets = 1;
  runtime->apply(job(1));
  const auto first = acquire("t1");
  ASSERT_TRUE(first.has_value());
  runtime->release(first->id);
  const auto second = acquire("t2");
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ(server().resets.size(), 2U);
}

TEST_F(RuntimeTest, ReleasingTwiceIsHarmless) {
  runtime->apply(job());
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value());
  runtime->release(lease->id);
  runtime->release(lease->id);
  EXPECT_TRUE(acquire("t1").has_value());
}

TEST_F(RuntimeTest, ACallOfAnEndedLeaseIsRefusedWithTheReason) {
  runtime->apply(job());
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value());
  runtime->release(lease->id);
  const auto result = loop.run(runtime->call(lease->id, bash("echo late")));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, "lease_ended");
  EXPECT_THAT(result.error().message, HasSubstr("released"));
  EXPECT_EQ(loop.run(runtime->call("nobody", bash("echo x"))).error().code, "unknown_lease");
}

TEST_F(RuntimeTest, ACallThatRunsWhileItsLeaseEndsIsAnswered) {
  runtime->apply(job());
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value());
  auto running = loop.start(runtime->call(lease->id, bash("hang")));
  loop.until([this] { return !server().started.empty(); });
  runtime->release(lease->id);
  loop.until([&running] { return running->has_value(); });
  ASSERT_TRUE((*running)->has_value());
  EXPECT_THAT((**running)->metadata, HasSubstr("cancelled"));
}

TEST_F(RuntimeTest, AWaiterIsAnsweredByItsDeadline) {
  runtime->apply(job(1));
  ASSERT_TRUE(acquire("t1").has_value());
  const auto before = std::chrono::steady_clock::now();
  const auto refused = acquire("t2", std::chrono::milliseconds(100));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "no_slot");
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5 * std::chrono::milliseconds(100));
}

TEST_F(RuntimeTest, ALostContainerEndsItsCallsAndIsReplaced) {
  runtime->apply(job());
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value());
  auto running = loop.start(runtime->call(lease->id, bash("hang")));
  loop.until([this] { return !server().started.empty(); });
  driver.kill(lease->container);
  loop.until([&running] { return running->has_value(); });
  ASSERT_TRUE((*running)->has_value());
  EXPECT_THAT((**running)->metadata, HasSubstr("container_lost"));
  EXPECT_THAT((**running)->error, HasSubstr("killed by the test"));
  const auto next = acquire("t2");
  ASSERT_TRUE(next.has_value()) << next.error().message;
  EXPECT_NE(next->container, lease->container);
}

TEST_F(RuntimeTest, WaitersHearWhyNoContainerComesUp) {
  driver.start_error = Error{"setup_failed", "setup step 1 failed", "mend it"};
  runtime->apply(job());
  const auto refused = acquire("t1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "container_failed");
  EXPECT_THAT(refused.error().message, HasSubstr("setup step 1 failed"));
  EXPECT_EQ(refused.error().hint, "mend it");
}

TEST_F(RuntimeTest, ThePoolGrowsWhenCallersWait) {
  runtime->apply(job(1, 3));
  ASSERT_TRUE(acquire("t1").has_value());
  ASSERT_TRUE(acquire("t2").has_value());
  ASSERT_TRUE(acquire("t3").has_value());
  EXPECT_EQ(driver.starts, 3U);
  EXPECT_EQ(acquire("t4", std::chrono::milliseconds(50)).error().code, "no_slot");
}

TEST_F(RuntimeTest, StoppingEndsLeasesWaitersAndContainers) {
  runtime->apply(job(1));
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value());
  auto running = loop.start(runtime->call(lease->id, bash("hang")));
  auto waiting = loop.start(runtime->acquire(request("t2")));
  loop.until([this] { return !server().started.empty(); });
  EXPECT_TRUE(
      loop.run(runtime->stop(Deadline(std::chrono::steady_clock::now() + std::chrono::seconds(2)))).has_value());
  loop.until([&] { return running->has_value() && waiting->has_value(); });
  EXPECT_FALSE((*waiting)->has_value());
  EXPECT_TRUE(driver.servers.empty());
}

TEST_F(RuntimeTest, ObserversSeePersistBeforeTheGrant) {
  std::vector<std::string> order;
  RuntimeOptions options;
  options.observer = [&order](const pool::Effect& effect) {
    if (const auto* persist = std::get_if<pool::Persist>(&effect);
        persist && std::holds_alternative<pool::LeaseSaved>(persist->change))
      order.emplace_back("saved");
    if (std::holds_alternative<pool::Granted>(effect)) order.emplace_back("granted");
  };
  begin(options);
  runtime->apply(job());
  ASSERT_TRUE(acquire("t1").has_value());
  EXPECT_THAT(order, ::testing::ElementsAre("saved", "granted"));
}

}  // namespace
}  // namespace berth::agent
