// SPDX-License-Identifier: Apache-2.0
// The runtime over the real pool, the real link and fake servers inside the test.
#include <gmock/gmock.h>

#include "tests/unit/agent/runtime_fixture.hpp"

namespace berth::agent {
namespace {

using ::testing::HasSubstr;

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
