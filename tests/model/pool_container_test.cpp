// SPDX-License-Identifier: Apache-2.0
#include "tests/model/harness.hpp"

namespace berth::pool::model {
namespace {

class Containers : public PoolTest {
 protected:
  std::string one_up(unsigned slots) {
    job_with_slots(slots);
    return pool_.containers().front().container;
  }
};

TEST_F(Containers, ThatFailAtTheVeryFirstStartRefuseTheWaitersWithTheReason) {
  send(job_of(1, 1, 1));
  const std::string id = only<StartContainer>().container;
  const RequestId request = acquire("t", minutes(10));
  send(ContainerFailed{id, "no such image: nope"});
  EXPECT_EQ(only<Refused>().request, request);
  EXPECT_EQ(only<Refused>().error.code, "container_failed");
  EXPECT_THAT(only<Refused>().error.message, HasSubstr("no such image: nope"));
  acquire("later", minutes(10));
  EXPECT_EQ(only<Refused>().error.code, "container_failed");
}

TEST_F(Containers, AreTriedAgainAfterAGrowingPause) {
  send(job_of(1, 1, 1));
  send(ContainerFailed{only<StartContainer>().container, "x"});
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
  pass(seconds(1));
  send(ContainerFailed{only<StartContainer>().container, "x"});
  pass(seconds(1));
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
  pass(seconds(1));
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Containers, ThatFailLaterLeaveTheWaitersTheirDeadlineAndTellTheReason) {
  const std::string id = one_up(1);
  send(ContainerLost{id, "out of memory"});
  acquire("t", seconds(20));
  EXPECT_THAT(all<Refused>(), IsEmpty());
  pass(seconds(1));
  send(ContainerFailed{only<StartContainer>().container, "no such image"});
  EXPECT_THAT(all<Refused>(), IsEmpty());
  for (int i = 0; i < 20 && all<Refused>().empty(); ++i) {
    pass(seconds(1));
    for (const auto& start : all<StartContainer>()) send(ContainerFailed{start.container, "no such image"});
  }
  EXPECT_THAT(only<Refused>().error.message, HasSubstr("no such image"));
}

TEST_F(Containers, ThatDieSoonAreNotStartedInALoop) {
  const std::string id = one_up(1);
  send(ContainerLost{id, "crashed"});
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
  pass(seconds(1));
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Containers, ThatLivedLongAreReplacedAtOnce) {
  const std::string id = one_up(1);
  pass(hours(1));
  send(ContainerLost{id, "killed"});
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Containers, ThatDieEndTheirLeases) {
  const std::string id = one_up(2);
  const Lease lease = take("t");
  send(ContainerLost{id, "killed by the kernel"});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::container_lost);
  EXPECT_EQ(only<LeaseEnded>().message, "killed by the kernel");
  EXPECT_EQ(pool_.ended(lease.id), EndReason::container_lost);
  EXPECT_THAT(pool_.slots(), IsEmpty());
}

TEST_F(Containers, ThatAreSuspectKeepTheirLeasesAndGiveNoSlots) {
  const std::string id = one_up(2);
  const Lease lease = take("t");
  send(ContainerSuspect{id, "timeout"});
  EXPECT_THAT(all<LeaseEnded>(), IsEmpty());
  acquire("u", seconds(5));
  EXPECT_THAT(all<Granted>(), IsEmpty());
  acquire("t");
  EXPECT_EQ(only<Granted>().lease.generation, lease.generation);
  send(ContainerHealthy{id, "boot"});
  EXPECT_THAT(all<Granted>(), SizeIs(1));
}

TEST_F(Containers, GetTheirResetsWhenTheyAreHealthyAgain) {
  const std::string id = one_up(1);
  const Lease lease = take("t");
  send(ContainerSuspect{id, "timeout"});
  send(ReleaseRequested{lease.id});
  EXPECT_THAT(all<ResetSlot>(), IsEmpty());
  send(ContainerHealthy{id, "boot"});
  EXPECT_EQ(only<ResetSlot>().generation, lease.generation + 1);
}

TEST_F(Containers, ThatStaySuspectAreReplacedButNeverUnderALease) {
  send(job_of(1, 2, 1));
  start_all(1);
  const std::string id = pool_.containers().front().container;
  const Lease lease = take("t");
  send(ContainerSuspect{id, "timeout"});
  pass(Options{}.suspect_grace);
  EXPECT_THAT(all<StopContainer>(), IsEmpty());
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
  send(ReleaseRequested{lease.id});
  EXPECT_EQ(only<StopContainer>().container, id);
}

TEST_F(Containers, ThatWereRestartedLoseTheirLeasesAndResetEverySlot) {
  const std::string id = one_up(2);
  (void)take("t");
  send(ContainerRebooted{id, "boot-2"});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::container_lost);
  ASSERT_THAT(all<ResetSlot>(), SizeIs(2));
  for (const ResetSlot& reset : all<ResetSlot>()) EXPECT_EQ(reset.generation, 2U);
  send(ContainerRebooted{id, "boot-2"});
  EXPECT_THAT(effects_, IsEmpty());
}

TEST_F(Containers, ThatWereRestartedUnseenAreFoundOutByTheirBoot) {
  const std::string id = one_up(1);
  (void)take("t");
  send(ContainerSuspect{id, "timeout"});
  send(ContainerHealthy{id, "boot-2"});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::container_lost);
}

TEST_F(Containers, ThatWereRestartedBetweenTwoQuestionsAreFoundOutToo) {
  const std::string id = one_up(1);
  (void)take("t");
  send(ContainerHealthy{id, "boot"});
  EXPECT_THAT(effects_, IsEmpty());
  send(ContainerHealthy{id, "boot-2"});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::container_lost);
}

TEST_F(Containers, ThatNobodyKnowsAreStopped) {
  up("orphan", 3);
  EXPECT_EQ(only<StopContainer>().container, "orphan");
}

TEST_F(Containers, ThatDoNotStopAreAskedAgain) {
  const std::string id = one_up(1);
  send(DrainRequested{id});
  EXPECT_THAT(all<StopContainer>(), SizeIs(1));
  pass(Options{}.stop_timeout);
  EXPECT_EQ(only<StopContainer>().container, id);
  send(ContainerStopped{id});
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Containers, ThatWereAskedToStopAreGoneForTheReasonTheyWereAsked) {
  const std::string id = one_up(1);
  send(DrainRequested{id});
  send(ContainerStopped{id});
  const auto changes = all<ContainerChanged>();  // its own, and its successor's
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes.front().container, id);
  EXPECT_EQ(changes.front().from, ContainerState::stopping);
  EXPECT_EQ(changes.front().why, "asked for");
}

TEST_F(Containers, ThatNobodyAskedToStopSaySo) {
  send(ContainerStopped{one_up(1)});
  EXPECT_EQ(only<ContainerChanged>().why, "stopped by somebody else");
}

TEST_F(Containers, ThatDoNotComeUpInTimeAreGivenUp) {
  send(job_of(1, 1, 1));
  const std::string id = only<StartContainer>().container;
  acquire("t", hours(2));
  pass(Options{}.start_timeout);
  EXPECT_EQ(only<StopContainer>().container, id);
  EXPECT_THAT(only<Refused>().error.message, HasSubstr("did not come up in time"));
}

TEST_F(Containers, ThatReportNoSlotsAreGivenUp) {
  send(job_of(1, 1, 1));
  const std::string id = only<StartContainer>().container;
  up(id, 0);
  EXPECT_EQ(only<StopContainer>().container, id);
}

TEST_F(Containers, ThatWereUsedBeforeAreResetFirst) {
  send(job_of(1, 1, 3));
  send(ContainerStarted{only<StartContainer>().container, 3, "boot", {0, 7, 1}});
  EXPECT_EQ(only<ResetSlot>().slot, 1U);
  EXPECT_EQ(only<ResetSlot>().generation, 8U);
}

TEST_F(Containers, ThatDrainLetTheirHoldersFinish) {
  const std::string id = one_up(2);
  const Lease lease = take("t");
  send(DrainRequested{id});
  EXPECT_THAT(all<StopContainer>(), IsEmpty());
  acquire("u", seconds(1));
  EXPECT_THAT(all<Granted>(), IsEmpty());
  send(ReleaseRequested{lease.id});
  EXPECT_EQ(only<StopContainer>().container, id);
  EXPECT_THAT(all<ResetSlot>(), IsEmpty());
}

TEST_F(Containers, HaveNamesOfTheirOwn) {
  Options options;
  options.prefix = "c3f9";
  pool_ = Pool(options);
  send(job_of(2, 2, 1));
  const auto starts = all<StartContainer>();
  ASSERT_THAT(starts, SizeIs(2));
  EXPECT_EQ(starts[0].container, "c3f9-1");
  EXPECT_EQ(starts[1].container, "c3f9-2");
}

}  // namespace
}  // namespace berth::pool::model
