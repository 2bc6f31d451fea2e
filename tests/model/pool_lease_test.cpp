// SPDX-License-Identifier: Apache-2.0
#include "tests/model/harness.hpp"

namespace berth::pool::model {
namespace {

class Leases : public PoolTest {
 protected:
  void SetUp() override { job_with_slots(2); }

  Lease take_for(std::optional<Duration> ttl, std::optional<Duration> idle) {
    AcquireRequested event = wish("t");
    event.ttl = ttl;
    event.idle = idle;
    send(event);
    return only<Granted>().lease;
  }
};

TEST_F(Leases, EndWhenIdle) {
  const Lease lease = take_for({}, seconds(10));
  pass(seconds(10) - milliseconds(1));
  EXPECT_THAT(effects_, IsEmpty());
  pass(milliseconds(1));
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::idle);
  EXPECT_EQ(pool_.find_lease(lease.id), nullptr);
}

TEST_F(Leases, LiveOnWithUse) {
  const Lease lease = take_for({}, seconds(10));
  pass(seconds(9));
  send(LeaseUsed{lease.id});
  pass(seconds(9));
  ASSERT_NE(pool_.find_lease(lease.id), nullptr);
  EXPECT_EQ(pool_.find_lease(lease.id)->idle_at(), now_ + seconds(1));
}

TEST_F(Leases, DoNotIdleWhileACallRuns) {
  const Lease lease = take_for({}, seconds(10));
  send(CallStarted{lease.id});
  EXPECT_EQ(state_of(lease.container, lease.slot), SlotState::executing);
  pass(hours(1));
  EXPECT_THAT(all<LeaseEnded>(), IsEmpty());
  send(CallEnded{lease.id});
  pass(seconds(10));
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::idle);
}

TEST_F(Leases, EndAtTheirFixedTimeEvenWhileACallRuns) {
  const Lease lease = take_for(seconds(30), {});
  send(CallStarted{lease.id});
  pass(seconds(30));
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::ttl);
}

TEST_F(Leases, TakeTheJobsTimesWhenTheRequestNamesNone) {
  JobApplied policy = job_of(1, 1, 2);
  policy.ttl = hours(2);
  policy.idle = minutes(3);
  send(policy);
  const Lease lease = take("t");
  EXPECT_EQ(lease.ends_at, now_ + hours(2));
  EXPECT_EQ(lease.idle_at(), now_ + minutes(3));
}

TEST_F(Leases, AreRenewedFromNow) {
  const Lease lease = take_for(seconds(30), seconds(10));
  pass(seconds(5));
  send(RenewRequested{lease.id, minutes(1), minutes(2)});
  EXPECT_EQ(pool_.find_lease(lease.id)->ends_at, now_ + minutes(1));
  EXPECT_EQ(pool_.find_lease(lease.id)->idle_at(), now_ + minutes(2));
  EXPECT_THAT(all<Persist>(), SizeIs(1));
}

TEST_F(Leases, CanBeRenewedToAnEarlierEnd) {
  const Lease lease = take_for({}, minutes(10));
  send(RenewRequested{lease.id, {}, seconds(1)});
  pass(seconds(1));
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::idle);
}

TEST_F(Leases, BearEndlessTimes) {
  const Lease lease = take_for(Duration::max(), Duration::max());
  EXPECT_EQ(lease.expires_at(), TimePoint::max());
  pass(hours(24 * 365));
  EXPECT_NE(pool_.find_lease(lease.id), nullptr);
}

TEST_F(Leases, AreReleasedOnce) {
  const Lease lease = take("t");
  send(ReleaseRequested{lease.id});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::released);
  EXPECT_THAT(all<ResetSlot>(), SizeIs(1));
  send(ReleaseRequested{lease.id});
  EXPECT_THAT(effects_, IsEmpty());
}

TEST_F(Leases, AreNotTouchedByTheLateReleaseOfTheLastOwner) {
  const Lease first = take("first");
  release_and_reset(first);
  const Lease second = take("second");
  ASSERT_EQ(second.slot, first.slot);
  send(ReleaseRequested{first.id});
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_NE(pool_.find_lease(second.id), nullptr);
}

TEST_F(Leases, AreRememberedAfterTheirEnd) {
  const Lease lease = take("t");
  EXPECT_EQ(pool_.ended(lease.id), std::nullopt);
  send(ReleaseRequested{lease.id});
  EXPECT_EQ(pool_.ended(lease.id), EndReason::released);
  EXPECT_EQ(pool_.ended("never heard of"), std::nullopt);
}

TEST_F(Leases, AreForgottenOldestFirst) {
  Options options;
  options.max_ended = 2;
  pool_ = Pool(options);
  job_with_slots(3);
  std::vector<std::string> ids;
  for (const char* name : {"a", "b", "c"}) ids.push_back(take(name).id);
  for (const std::string& id : ids) send(ReleaseRequested{id});
  EXPECT_EQ(pool_.ended(ids[0]), std::nullopt);
  EXPECT_EQ(pool_.ended(ids[2]), EndReason::released);
}

TEST_F(Leases, AreFoundByIdByTrajectoryAndBySlot) {
  const Lease lease = take("t");
  ASSERT_NE(pool_.find_lease(lease.id), nullptr);
  EXPECT_EQ(pool_.find_lease("job", "", "t"), pool_.find_lease(lease.id));
  EXPECT_EQ(pool_.find_lease_of_slot(lease.container, lease.slot), pool_.find_lease(lease.id));
  EXPECT_EQ(pool_.find_lease("job", "somebody", "t"), nullptr);
  EXPECT_EQ(pool_.find_lease_of_slot(lease.container, 99), nullptr);
}

TEST_F(Leases, IgnoreCallsThatEndAfterThem) {
  const Lease lease = take("t");
  send(CallStarted{lease.id});
  send(ReleaseRequested{lease.id});
  send(CallEnded{lease.id});
  EXPECT_THAT(effects_, IsEmpty());
}

}  // namespace
}  // namespace berth::pool::model
