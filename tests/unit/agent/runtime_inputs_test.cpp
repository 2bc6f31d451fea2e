// SPDX-License-Identifier: Apache-2.0
// Slots that are answered only with their job's inputs in them.
#include <gmock/gmock.h>

#include "base/text.hpp"
#include "tests/unit/agent/runtime_fixture.hpp"

namespace berth::agent {
namespace {

using ::testing::HasSubstr;
using LeaseResult = tl::expected<LeaseGrant, LeaseRefusal>;

class RuntimeInputs : public RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.inputs = store;
    begin(std::move(options));
    runtime->apply(with_inputs());
  }

  void TearDown() override {
    driver.options.hold_puts = false;
    for (auto& [id, each] : driver.servers) each->options.hold_puts = false;
    RuntimeTest::TearDown();
    store->close();
  }

  boost::asio::awaitable<bool> send(std::string bytes) {
    auto upload = store->begin(sha256_hex(bytes));
    const auto written = co_await (*upload)->write(bytes);
    co_return written && (*upload)->commit(now());
  }

  jobs::Job with_inputs() {
    EXPECT_TRUE(loop.run(send(kTar)) && loop.run(send(kOther)));
    jobs::Job made = job(1);
    made.inputs = {{"sha256:" + sha256_hex(kTar), "/workspace/project/", {}},
                   {"sha256:" + sha256_hex(kOther), "/workspace", {}}};
    return made;
  }

  // The container is there, and files that are sent to it wait.
  void hold() {
    const auto first = acquire("first");
    ASSERT_TRUE(first.has_value());
    runtime->release(first->id);
    loop.until([this] { return server().resets.size() == 1; });
    server().options.hold_puts = true;
    server().puts = 0;
  }
  std::shared_ptr<std::optional<LeaseResult>> start(pool::RequestId number, AcquireRequest wanted) {
    return loop.start(runtime->lease(number, std::move(wanted)));
  }
  void until_sent() {
    loop.until([this] { return server().puts > 0; });
  }

  const std::string kTar = "a tar, as far as anybody here looks";
  const std::string kOther = "another one";
  std::shared_ptr<InputStore> store = std::make_shared<InputStore>(directory / "inputs");
};

TEST_F(RuntimeInputs, AreThereWhenTheLeaseIsAnswered) {
  const auto lease = acquire("t1");
  ASSERT_TRUE(lease.has_value()) << lease.error().message;
  EXPECT_EQ(server().files["slot_0/project"], kTar);
  EXPECT_EQ(server().files["slot_0/"], kOther);
  EXPECT_EQ(lease->calls, 0U);
}

TEST_F(RuntimeInputs, ComeOnceForATrajectoryAndAfreshAfterAReset) {
  const auto first = acquire("t1");
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(acquire("t1")->id, first->id);
  EXPECT_EQ(server().puts, 2U);
  runtime->release(first->id);
  ASSERT_TRUE(acquire("t2").has_value());
  EXPECT_EQ(server().puts, 4U);
  EXPECT_EQ(server().files["slot_0/project"], kTar);
}

TEST_F(RuntimeInputs, ThatDoNotFitEndTheLeaseAndTheSlotIsReset) {
  server().options.full_puts = 1;
  const auto refused = acquire("t1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "inputs_failed");
  EXPECT_THAT(refused.error().message, HasSubstr("No space left"));
  EXPECT_THAT(refused.error().hint, HasSubstr("slot.disk"));
  EXPECT_TRUE(runtime->pool().leases().empty());
  loop.until([this] { return server().resets.size() == 1; });
  EXPECT_TRUE(acquire("t2").has_value());
}

TEST_F(RuntimeInputs, ThatTheStoreLacksEndTheLease) {
  store->sweep({}, now() + std::chrono::hours(2));
  const auto refused = acquire("t1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "inputs_failed");
  EXPECT_TRUE(runtime->pool().leases().empty());
}

TEST_F(RuntimeInputs, AreWaitedForByAllWhoAskForTheTrajectory) {
  hold();
  const auto one = start(101, request("t1"));
  until_sent();
  const auto two = start(102, request("t1"));
  loop.spin(std::chrono::milliseconds(20));
  EXPECT_FALSE(one->has_value() || two->has_value());
  server().options.hold_puts = false;
  loop.until([&] { return one->has_value() && two->has_value(); });
  ASSERT_TRUE(**one && **two);
  EXPECT_FALSE((**one)->existing);
  EXPECT_TRUE((**two)->existing);
  EXPECT_EQ((**one)->lease.id, (**two)->lease.id);
  EXPECT_EQ(server().puts, 2U);
}

TEST_F(RuntimeInputs, KeepTheLeaseFromEveryUseUntilTheyAreThere) {
  hold();
  const auto asked = start(101, request("t1"));
  until_sent();
  const auto leases = runtime->pool().leases();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].calls, 1U);  // so it does not idle out
  const auto early = loop.run(runtime->call(leases[0].id, bash("echo x")));
  ASSERT_FALSE(early.has_value());
  EXPECT_EQ(early.error().code, "inputs_under_way");
  EXPECT_TRUE(server().started.empty());
  server().options.hold_puts = false;
  loop.until([&] { return asked->has_value(); });
  EXPECT_TRUE(loop.run(runtime->call(leases[0].id, bash("echo x"))).has_value());
}

TEST_F(RuntimeInputs, ThatNobodyWaitsForAnyMoreLeaveNoLease) {
  hold();
  const auto one = start(101, request("t1"));
  const auto two = start(102, request("t1"));
  until_sent();
  runtime->cancel_acquire(101);
  loop.until([&] { return one->has_value(); });
  EXPECT_EQ((**one).error().error.code, "cancelled");
  EXPECT_EQ(runtime->pool().leases().size(), 1U);
  runtime->cancel_acquire(102);
  loop.until([&] { return two->has_value(); });
  EXPECT_TRUE(runtime->pool().leases().empty());
  loop.until([this] { return server().resets.size() == 2; });
  server().options.hold_puts = false;
  EXPECT_TRUE(acquire("t2").has_value());
}

TEST_F(RuntimeInputs, ThatDoNotComeInTimeAreTold) {
  hold();
  AcquireRequest wanted = request("t1");
  wanted.wait = wanted.ready_by = Deadline(now() + std::chrono::milliseconds(100));
  const auto asked = start(101, std::move(wanted));
  loop.until([&] { return asked->has_value(); });
  EXPECT_EQ((**asked).error().error.code, "inputs_failed");
  EXPECT_TRUE(runtime->pool().leases().empty());
  loop.until([this] { return server().resets.size() == 2; });
}

TEST_F(RuntimeInputs, AreWaitedForByEachAsLongAsItSays) {
  hold();
  const auto patient = start(101, request("t1"));
  until_sent();
  AcquireRequest wanted = request("t1");
  wanted.wait = wanted.ready_by = Deadline(now() + std::chrono::milliseconds(100));
  const auto hasty = start(102, std::move(wanted));
  loop.until([&] { return hasty->has_value(); });
  ASSERT_FALSE((**hasty).has_value());
  EXPECT_EQ((**hasty).error().error.code, "inputs_failed");
  EXPECT_EQ(runtime->pool().leases().size(), 1U);
  server().options.hold_puts = false;
  loop.until([&] { return patient->has_value(); });
  EXPECT_TRUE((**patient).has_value());
}

TEST_F(RuntimeInputs, OfALostContainerAreTold) {
  hold();
  const auto asked = start(101, request("t1"));
  until_sent();
  driver.kill(driver.servers.begin()->first);
  loop.until([&] { return asked->has_value(); });
  EXPECT_EQ((**asked).error().error.code, "inputs_failed");
  EXPECT_TRUE(acquire("t1").has_value());
}

TEST_F(RuntimeInputs, EndWithTheLeaseThatTheyAreFor) {
  jobs::Job one = with_inputs();
  one.inputs.pop_back();
  runtime->apply(one);
  hold();
  const auto asked = start(101, request("t1"));
  until_sent();
  runtime->release(runtime->pool().leases()[0].id);
  server().options.hold_puts = false;
  loop.until([&] { return asked->has_value(); });
  ASSERT_FALSE((**asked).has_value());
  EXPECT_EQ((**asked).error().error.code, "inputs_failed");
  EXPECT_THAT((**asked).error().error.message, HasSubstr("the lease has ended"));
}

TEST_F(RuntimeInputs, AWaiterWithoutASlotIsToldSoByItsDeadline) {
  ASSERT_TRUE(acquire("t1").has_value());
  AcquireRequest wanted = request("t2");
  wanted.wait = wanted.ready_by = Deadline(now() + std::chrono::milliseconds(100));
  const auto refused = loop.run(runtime->lease(101, std::move(wanted)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.code, "no_slot");
}

}  // namespace
}  // namespace berth::agent
