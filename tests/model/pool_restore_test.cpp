// SPDX-License-Identifier: Apache-2.0
#include "tests/model/harness.hpp"

namespace berth::pool::model {
namespace {

class Restart : public PoolTest {
 protected:
  // A job of one container with two slots; slot 0 is leased with generation 5, slot 1 was last known with 3.
  static Restored saved() {
    Restored all;
    all.jobs.push_back(job_of(1, 2, 2));
    all.containers.push_back({"c-1", "job", "boot", 0, {5, 3}});
    Lease lease;
    lease.id = "old";
    lease.job = "job";
    lease.trajectory = "t";
    lease.container = "c-1";
    lease.slot = 0;
    lease.generation = 5;
    lease.idle = minutes(10);
    all.leases.push_back(lease);
    return all;
  }
  void adopt(const std::string& boot, std::vector<Generation> floors) {
    send(ContainerStarted{"c-1", 2, boot, std::move(floors)});
  }
};

TEST_F(Restart, HonoursLeasesAndStartsNothingTwice) {
  send(saved());
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
  ASSERT_NE(pool_.find_lease("old"), nullptr);
  EXPECT_EQ(pool_.find_lease("old")->idle_at(), now_ + minutes(10));
  adopt("boot", {5, 3});
  EXPECT_THAT(all<LeaseEnded>(), IsEmpty());
  EXPECT_THAT(all<StopContainer>(), IsEmpty());
  acquire("t");
  EXPECT_EQ(only<Granted>().lease.id, "old");
}

TEST_F(Restart, ResetsEverySlotWithoutALeaseAboveAllThatWasSeen) {
  send(saved());
  EXPECT_THAT(all<ResetSlot>(), IsEmpty()) << "the container has not been heard of yet";
  adopt("boot", {5, 9});
  EXPECT_EQ(only<ResetSlot>().slot, 1U);
  EXPECT_EQ(only<ResetSlot>().generation, 10U);
}

TEST_F(Restart, CountsWhatIsBeingAdoptedAsComing) {
  send(saved());
  acquire("u", minutes(1));
  EXPECT_THAT(all<StartContainer>(), IsEmpty());
}

TEST_F(Restart, EndsLeasesWhoseTimeIsOver) {
  Restored all = saved();
  all.leases[0].ends_at = now_;
  send(all);
  EXPECT_EQ(pool_.find_lease("old"), nullptr);
  EXPECT_EQ(pool_.ended("old"), EndReason::ttl);
  adopt("boot", {5, 3});
  EXPECT_THAT(this->all<ResetSlot>(), SizeIs(2));
}

TEST_F(Restart, EndsLeasesOfAContainerThatWasRestarted) {
  send(saved());
  adopt("another boot", {0, 0});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::container_lost);
  ASSERT_THAT(all<ResetSlot>(), SizeIs(2));
  EXPECT_EQ(all<ResetSlot>()[0].generation, 6U);
}

TEST_F(Restart, DoesNotTrustAContainerWithoutItsBoot) {
  send(saved());
  send(ContainerHealthy{"c-1", ""});
  EXPECT_EQ(pool_.containers().front().state, ContainerState::suspect);
}

TEST_F(Restart, EndsALeaseThatSlotdHasPassed) {
  send(saved());
  adopt("boot", {6, 3});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::slot_lost);
}

TEST_F(Restart, EndsLeasesOfAContainerThatIsGone) {
  send(saved());
  send(ContainerLost{"c-1", "not there"});
  EXPECT_EQ(only<LeaseEnded>().why, EndReason::container_lost);
}

TEST_F(Restart, DropsLeasesThatFitNothing) {
  Restored all = saved();
  all.leases[0].slot = 7;
  all.leases.push_back(saved().leases[0]);
  all.leases[1].id = "stale";
  all.leases[1].generation = 4;
  send(all);
  EXPECT_THAT(pool_.leases(), IsEmpty());
  EXPECT_EQ(pool_.ended("old"), EndReason::slot_lost);
  EXPECT_EQ(pool_.ended("stale"), EndReason::slot_lost);
}

TEST_F(Restart, NeverLendsAFirstGenerationTwice) {
  Restored all = saved();
  all.containers[0].generations = {5, 0};
  send(all);
  adopt("boot", {5, 0});
  EXPECT_EQ(only<ResetSlot>().generation, 2U);
}

TEST_F(Restart, TakesDownContainersOfAJobThatIsNoMore) {
  Restored all = saved();
  all.jobs.clear();
  send(all);
  EXPECT_NE(pool_.find_lease("old"), nullptr) << "its holder may finish";
  send(ReleaseRequested{"old"});
  EXPECT_EQ(only<StopContainer>().container, "c-1");
  send(ContainerStopped{"c-1"});
  EXPECT_THAT(pool_.jobs(), IsEmpty());
}

TEST_F(Restart, ReplacesWhatItDoesNotHearOf) {
  Restored all = saved();
  all.leases.clear();
  send(all);
  pass(Options{}.suspect_grace);
  EXPECT_EQ(only<StopContainer>().container, "c-1");
  EXPECT_THAT(this->all<StartContainer>(), SizeIs(1));
}

TEST_F(Restart, DoesNotReuseAContainersName) {
  Restored all = saved();
  all.jobs[0].min = 2;
  send(all);
  EXPECT_EQ(only<StartContainer>().container, "c-2");
}

}  // namespace
}  // namespace berth::pool::model
