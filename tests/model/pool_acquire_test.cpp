// SPDX-License-Identifier: Apache-2.0
#include "tests/model/harness.hpp"

namespace berth::pool::model {
namespace {

class Acquire : public PoolTest {};

TEST_F(Acquire, GivesAFreeSlotAtOnce) {
  job_with_slots(2);
  const RequestId request = acquire("t");
  const auto granted = only<Granted>();
  EXPECT_EQ(granted.request, request);
  EXPECT_FALSE(granted.existing);
  EXPECT_EQ(granted.lease.slot, 0U);
  EXPECT_EQ(granted.lease.generation, 1U);
  EXPECT_EQ(state_of(granted.lease.container, 0), SlotState::acquired);
}

TEST_F(Acquire, StoresTheLeaseBeforeItAnswers) {
  job_with_slots(1);
  acquire("t");
  const auto at = [&](auto is) { return std::find_if(effects_.begin(), effects_.end(), is) - effects_.begin(); };
  const auto stored = at([](const Effect& one) {
    const auto* change = std::get_if<Persist>(&one);
    return change != nullptr && std::holds_alternative<LeaseSaved>(change->change);
  });
  EXPECT_LT(stored, at([](const Effect& one) { return std::holds_alternative<Granted>(one); }));
}

TEST_F(Acquire, GivesATrajectoryItsLiveLeaseAgain) {
  job_with_slots(2);
  const Lease lease = take("t");
  acquire("t");
  EXPECT_TRUE(only<Granted>().existing);
  EXPECT_EQ(only<Granted>().lease.id, lease.id);
}

TEST_F(Acquire, KeepsTheTrajectoriesOfTwoOwnersApart) {
  job_with_slots(2);
  AcquireRequested mine = wish("bc"), theirs = wish("c");
  mine.owner = "a";
  theirs.owner = "ab";
  send(mine);
  send(theirs);
  EXPECT_FALSE(only<Granted>().existing);
}

TEST_F(Acquire, GivesARequestWithoutATrajectoryASlotOfItsOwn) {
  job_with_slots(2);
  const Lease first = take(""), second = take("");
  EXPECT_NE(first.slot, second.slot);
  EXPECT_EQ(first.trajectory, first.id);
}

TEST_F(Acquire, ServesWaitersInOrderOfArrival) {
  job_with_slots(1);
  const Lease held = take("first");
  const RequestId second = acquire("second", minutes(1)), third = acquire("third", minutes(1));
  release_and_reset(held);
  EXPECT_EQ(only<Granted>().request, second);
  release_and_reset(only<Granted>().lease);
  EXPECT_EQ(only<Granted>().request, third);
}

TEST_F(Acquire, AnswersEveryWaitingRequestOfATrajectoryAtOnce) {
  job_with_slots(1);
  const Lease held = take("first");
  acquire("t", minutes(1));
  acquire("other", minutes(1));
  acquire("t", minutes(1));
  release_and_reset(held);
  const auto granted = all<Granted>();
  ASSERT_THAT(granted, SizeIs(2));
  EXPECT_EQ(granted[0].lease.id, granted[1].lease.id);
  EXPECT_TRUE(granted[1].existing);
  EXPECT_EQ(pool_.waiting(), 1U);
}

TEST_F(Acquire, RefusesAtTheDeadlineAndWakesForIt) {
  job_with_slots(1);
  (void)take("first");
  const RequestId request = acquire("second", seconds(5));
  EXPECT_THAT(all<Refused>(), IsEmpty());
  EXPECT_EQ(pool_.next_tick(), now_ + seconds(5));
  pass(seconds(5));
  EXPECT_EQ(only<Refused>().request, request);
  EXPECT_EQ(only<Refused>().error.code, "no_slot");
}

TEST_F(Acquire, RefusesAtOnceWhenNobodyWaitsAndStillGrows) {
  send(job_of(0, 2, 1));
  acquire("t");
  EXPECT_EQ(only<Refused>().error.code, "no_slot");
  EXPECT_EQ(only<Refused>().retry_after, seconds(1));
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Acquire, ForgetsACancelledRequest) {
  job_with_slots(1);
  const Lease held = take("first");
  const RequestId second = acquire("second", minutes(1)), third = acquire("third", minutes(1));
  send(AcquireCancelled{second});
  EXPECT_THAT(effects_, IsEmpty());
  release_and_reset(held);
  EXPECT_EQ(only<Granted>().request, third);
}

TEST_F(Acquire, CancelledLateChangesNothing) {
  job_with_slots(1);
  const RequestId request = acquire("t");
  send(AcquireCancelled{request});
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_THAT(pool_.leases(), SizeIs(1));
}

TEST_F(Acquire, IsIdempotentWhileItWaits) {
  job_with_slots(1);
  (void)take("first");
  const AcquireRequested event = wish("second", minutes(1));
  send(event);
  send(event);
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_EQ(pool_.waiting(), 1U);
}

TEST_F(Acquire, RefusesMoreWaitersThanTheBound) {
  Options options;
  options.max_waiters = 2;
  pool_ = Pool(options);
  send(job_of(1, 1, 1));
  for (const char* name : {"a", "b"}) acquire(name, minutes(1));
  acquire("c", minutes(1));
  EXPECT_EQ(only<Refused>().error.code, "too_many_waiters");
}

TEST_F(Acquire, CountsAnOwnersWaitingTrajectoriesOnce) {
  job_with_slots(1);
  (void)take("first");
  const auto send_bound = [&](const char* trajectory) {
    AcquireRequested event = wish(trajectory, minutes(1));
    event.owner = "bound";
    event.max_slots = 1;
    send(event);
  };
  send_bound("t");
  send_bound("t");
  EXPECT_THAT(all<Refused>(), IsEmpty());
  send_bound("u");
  EXPECT_EQ(only<Refused>().error.code, "too_many_slots");
}

TEST_F(Acquire, LetsAnOwnerGoOnAfterARelease) {
  job_with_slots(2);
  AcquireRequested first = wish("t"), second = wish("u");
  first.owner = second.owner = "bound";
  first.max_slots = second.max_slots = 1;
  send(first);
  send(ReleaseRequested{first.lease});
  send(second);
  EXPECT_EQ(only<Granted>().request, second.request);
}

TEST_F(Acquire, RefusesAJobThatIsNotThere) {
  acquire("t", minutes(1));
  EXPECT_EQ(only<Refused>().error.code, "unknown_job");
}

TEST_F(Acquire, RefusesALeaseIdThatIsInUse) {
  job_with_slots(2);
  const Lease held = take("first");
  AcquireRequested event = wish("second");
  event.lease = held.id;
  send(event);
  EXPECT_EQ(only<Refused>().error.code, "bad_request");
  EXPECT_EQ(state_of(held.container, 1), SlotState::available);
}

TEST_F(Acquire, FillsTheOldestContainerFirst) {
  send(job_of(2, 2, 2));
  const auto starts = all<StartContainer>();
  ASSERT_THAT(starts, SizeIs(2));
  up(starts[1].container, 2);
  up(starts[0].container, 2);
  for (const char* name : {"a", "b"}) EXPECT_EQ(take(name).container, starts[0].container);
  EXPECT_EQ(take("c").container, starts[1].container);
}

}  // namespace
}  // namespace berth::pool::model
