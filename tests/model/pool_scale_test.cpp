// SPDX-License-Identifier: Apache-2.0
#include "tests/model/harness.hpp"

namespace berth::pool::model {
namespace {

class Scale : public PoolTest {
 protected:
  void SetUp() override {
    JobApplied policy = job_of(1, 4, 2);
    policy.shrink_after = minutes(1);
    policy.idle = hours(1);
    send(policy);
    start_all(2);
  }
  std::vector<Lease> take_two() { return {take("a"), take("b")}; }
};

TEST_F(Scale, GrowsByAsManyContainersAsTheWaitersNeed) {
  take_two();
  acquire("c", minutes(1));
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
  acquire("d", minutes(1));
  EXPECT_THAT(all<StartContainer>(), IsEmpty()) << "two slots are coming for two waiters";
  acquire("e", minutes(1));
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Scale, DoesNotGrowForSlotsThatAreBeingReset) {
  const auto leases = take_two();
  send(ReleaseRequested{leases[0].id});
  acquire("c", minutes(1));
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
}

TEST_F(Scale, NeverGrowsBeyondMax) {
  for (int i = 0; i < 20; ++i) acquire("t" + std::to_string(i), minutes(1));
  EXPECT_EQ(pool_.containers().size(), 4U);
}

TEST_F(Scale, ShrinksToMinAfterAnIdleTime) {
  take_two();
  acquire("c", minutes(1));
  start_all(2);
  const Lease third = only<Granted>().lease;
  release_and_reset(third);
  pass(minutes(1));
  EXPECT_EQ(only<StopContainer>().container, third.container);
  pass(hours(1) - minutes(2));
  EXPECT_EQ(pool_.containers().size(), 2U) << "the first has leases; the other is still stopping";
}

TEST_F(Scale, CountsTheIdleTimeFromTheEndOfTheLastLease) {
  take_two();
  acquire("c", minutes(1));
  start_all(2);
  const Lease third = only<Granted>().lease;
  pass(minutes(10));
  release_and_reset(third);
  pass(minutes(1) - milliseconds(1));
  EXPECT_THAT(all<StopContainer>(), IsEmpty());
  pass(milliseconds(1));
  EXPECT_EQ(only<StopContainer>().container, third.container);
}

TEST_F(Scale, GrowsOnceForARequestThatDidNotWait) {
  take_two();
  acquire("c");
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
  for (int i = 0; i < 5; ++i) acquire("c");
  EXPECT_EQ(pool_.containers().size(), 2U) << "asking again does not make it more";
}

TEST_F(Scale, KeepsContainersWithALease) {
  send(job_of(1, 4, 2));
  const auto leases = take_two();
  acquire("c", minutes(1));
  start_all(2);
  const std::string second = only<Granted>().lease.container;
  for (const Lease& lease : leases) release_and_reset(lease);
  for (int i = 0; i < 5; ++i) pass(minutes(1));
  EXPECT_THAT(pool_.containers(), SizeIs(2));
  pass(minutes(1));
  const auto left = pool_.containers();
  EXPECT_EQ(left.back().container, second);
}

TEST_F(Scale, KeepsSpareSlotsFree) {
  JobApplied policy = job_of(0, 3, 2);
  policy.job = "spare";
  policy.spare = 1;
  policy.shrink_after = minutes(1);
  send(policy);
  start_all(2);
  ASSERT_EQ(pool_.job("spare")->up, 1U);
  for (const char* name : {"a", "b"}) {
    AcquireRequested event = wish(name);
    event.job = "spare";
    send(event);
  }
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
  start_all(2);
  for (int i = 0; i < 5; ++i) pass(minutes(1));
  EXPECT_EQ(pool_.job("spare")->up, 2U) << "shrinking would take the spare slot";
}

TEST_F(Scale, GivesBackTheSurplusWhenMaxIsLowered) {
  take_two();
  acquire("c", minutes(1));
  start_all(2);
  send(ReleaseRequested{only<Granted>().lease.id});
  send(job_of(1, 1, 2));
  EXPECT_THAT(all<StopContainer>(), SizeIs(1));
  EXPECT_EQ(pool_.job("job")->leased, 2U);
}

TEST_F(Scale, ReplacesContainersOfAnOlderVersion) {
  const auto leases = take_two();
  JobApplied policy = job_of(1, 4, 2);
  policy.version = 2;
  send(policy);
  EXPECT_EQ(only<StartContainer>().version, 2U);
  EXPECT_THAT(all<StopContainer>(), IsEmpty());
  send(ReleaseRequested{leases[0].id});
  send(ReleaseRequested{leases[1].id});
  EXPECT_THAT(all<StopContainer>(), SizeIs(1));
}

TEST_F(Scale, DoesNothingWhenTheSameJobIsAppliedAgain) {
  JobApplied policy = job_of(1, 4, 2);
  policy.shrink_after = minutes(1);
  policy.idle = hours(1);
  send(policy);
  EXPECT_THAT(effects_, IsEmpty());
}

TEST_F(Scale, RemovesAJobWhenItsLeasesHaveEnded) {
  const Lease lease = take("t");
  send(JobRemoved{"job", false});
  EXPECT_THAT(all<LeaseEnded>(), IsEmpty());
  acquire("u", minutes(1));
  EXPECT_EQ(only<Refused>().error.code, "job_removed");
  acquire("t");
  EXPECT_TRUE(only<Granted>().existing);
  send(ReleaseRequested{lease.id});
  send(ContainerStopped{only<StopContainer>().container});
  EXPECT_EQ(only<JobGone>().job, "job");
  EXPECT_THAT(pool_.jobs(), IsEmpty());
  EXPECT_EQ(pool_.next_tick(), TimePoint::max());
}

TEST_F(Scale, RemovesAJobAtOnceByForce) {
  take_two();
  acquire("c", minutes(1));
  send(JobRemoved{"job", true});
  EXPECT_THAT(all<LeaseEnded>(), SizeIs(2));
  EXPECT_EQ(all<LeaseEnded>().front().why, EndReason::job_removed);
  EXPECT_THAT(all<Refused>(), SizeIs(1));
  EXPECT_THAT(all<StopContainer>(), SizeIs(2)) << "the one that is starting too";
}

TEST_F(Scale, RemovesAnEmptyJobInTheSameStep) {
  JobApplied policy = job_of(0, 1, 1);
  policy.job = "empty";
  send(policy);
  send(JobRemoved{"empty", false});
  EXPECT_EQ(only<JobGone>().job, "empty");
}

TEST_F(Scale, TakesARemovedJobBackWhenItIsApplied) {
  (void)take("t");
  send(JobRemoved{"job", false});
  send(job_of(1, 4, 2));
  EXPECT_FALSE(pool_.job("job")->removing);
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Scale, ClosingRefusesAndLeavesTheContainers) {
  const auto leases = take_two();
  acquire("c", minutes(1));
  send(Closing{});
  EXPECT_EQ(only<Refused>().error.code, "agent_stopping");
  acquire("d", minutes(1));
  EXPECT_EQ(only<Refused>().error.code, "agent_stopping");
  acquire("a");
  EXPECT_EQ(only<Granted>().lease.id, leases[0].id);
  send(ReleaseRequested{leases[0].id});
  EXPECT_THAT(all<ResetSlot>(), SizeIs(1));
  pass(hours(2));
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
}

TEST_F(Scale, PausesJobsWithoutContainers) {
  JobApplied policy = job_of(0, 0, 1);
  policy.job = "off";
  send(policy);
  AcquireRequested event = wish("t", seconds(1));
  event.job = "off";
  send(event);
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
  pass(seconds(1));
  EXPECT_EQ(only<Refused>().error.code, "no_slot");
}

TEST(Backoff, DoublesUpToItsMost) {
  const auto backoff = default_rules().backoff;
  EXPECT_EQ(backoff(1, seconds(1), minutes(1)), seconds(1));
  EXPECT_EQ(backoff(3, seconds(1), minutes(1)), seconds(4));
  EXPECT_EQ(backoff(1000000, seconds(1), minutes(1)), minutes(1));
}

}  // namespace
}  // namespace berth::pool::model
