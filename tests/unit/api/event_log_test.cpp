// SPDX-License-Identifier: Apache-2.0
#include "agent/events/event_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/loop.hpp"

namespace berth::agent {
namespace {

using ::testing::HasSubstr;

class EventLogTest : public ::testing::Test {
 protected:
  static pool::Lease lease_of(const std::string& owner) {
    pool::Lease lease;
    lease.id = "lease-of-" + owner;
    lease.owner = owner;
    lease.job = "pool";
    lease.container = "c-1";
    return lease;
  }
  static pool::SlotChanged acquired(const pool::Lease& lease) {
    pool::SlotChanged change;
    change.container = lease.container;
    change.to = pool::SlotState::acquired;
    change.lease = lease.id;
    return change;
  }

  testing::Loop loop;
  EventLog log{loop.context, 3};
};

TEST_F(EventLogTest, NumbersGrowByOneAndTheOldestGo) {
  EXPECT_EQ(log.newest(), 0U);
  EXPECT_EQ(log.oldest(), 1U);
  EXPECT_TRUE(log.after(0, 10).empty());
  for (int i = 0; i < 5; ++i) log.job_changed("job-" + std::to_string(i), "applied");
  EXPECT_EQ(log.newest(), 5U);
  EXPECT_EQ(log.oldest(), 3U);
  const auto kept = log.after(0, 10);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].number, 3U);
  EXPECT_THAT(kept[2].data, HasSubstr("job-4"));
  EXPECT_EQ(log.after(4, 10).size(), 1U);
  EXPECT_EQ(log.after(0, 2).size(), 2U);
  EXPECT_TRUE(log.after(5, 10).empty());
}

TEST_F(EventLogTest, IdsOfAnotherLifeAreNone) {
  log.job_changed("job", "applied");
  EXPECT_EQ(log.number_of(log.id_of(1)), 1U);
  EXPECT_EQ(log.number_of(log.id_of(0)), 0U);
  EXPECT_FALSE(log.number_of(log.id_of(2)).has_value());  // of the future
  EXPECT_FALSE(log.number_of(EventLog(loop.context).id_of(1)).has_value());
  for (const char* text : {"", "1", "-1", "x-1"}) EXPECT_FALSE(log.number_of(text).has_value()) << text;
}

TEST_F(EventLogTest, WhoWaitsHearsOfTheNextEvent) {
  auto wait = [this]() -> boost::asio::awaitable<bool> {
    co_await log.wait(0, Deadline(std::chrono::steady_clock::now() + testing::kMaxTestWait));
    co_return log.newest() == 1;
  };
  const auto woken = loop.start(wait());
  loop.spin(std::chrono::milliseconds(5));
  EXPECT_FALSE(woken->has_value());
  log.job_changed("job", "applied");
  loop.until([&] { return woken->has_value(); });
  EXPECT_TRUE(**woken);
}

TEST_F(EventLogTest, WaitingEndsAtItsDeadlineAndWhenWoken) {
  auto wait = [this](Deadline until) -> boost::asio::awaitable<bool> {
    co_await log.wait(0, until);
    co_return true;
  };
  EXPECT_TRUE(loop.run(wait(Deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(1)))));
  const auto woken = loop.start(wait(Deadline()));
  loop.spin(std::chrono::milliseconds(5));
  log.wake();
  loop.until([&] { return woken->has_value(); });
}

// A slot is told of before its lease is saved with its owner.
TEST_F(EventLogTest, ASlotsEventBelongsToTheOwnerOfItsLease) {
  const auto lease = lease_of("alice");
  log.observe(acquired(lease));
  EXPECT_NE(log.after(0, 1)[0].owner, "");  // nobody's who sees only her own
  EXPECT_NE(log.after(0, 1)[0].owner, "bob");
  log.observe(pool::Persist{pool::LeaseSaved{lease}});
  EXPECT_EQ(log.after(0, 1)[0].owner, "alice");
  log.observe(acquired(lease));
  EXPECT_EQ(log.after(1, 1)[0].owner, "alice");
}

TEST_F(EventLogTest, ALeaseIsToldOfOnceWhenItBeginsAndOnceWhenItEnds) {
  const auto lease = lease_of("alice");
  log.observe(pool::Granted{1, lease, false});
  log.observe(pool::Granted{2, lease, true});
  log.observe(pool::LeaseEnded{lease, pool::EndReason::idle, "for long"});
  const auto told = log.after(0, 10);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_THAT(told[0].data, HasSubstr("granted"));
  EXPECT_THAT(told[1].data, HasSubstr("\"why\":\"idle\""));
  EXPECT_THAT(told[1].data, HasSubstr("for long"));
  EXPECT_EQ(told[1].owner, "alice");
}

TEST_F(EventLogTest, DataStaysOnOneLineWhateverNamesHold) {
  auto lease = lease_of("alice");
  lease.trajectory = "two\nlines\n\ndata: forged";
  log.observe(pool::Granted{1, lease, false});
  EXPECT_EQ(log.after(0, 1)[0].data.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace berth::agent
