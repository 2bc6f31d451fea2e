// SPDX-License-Identifier: Apache-2.0
// Both versions over the fake tree: layouts, limits, refusals, what is left behind.
#include <unistd.h>

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>

#include "cgroup_fake_tree.hpp"
#include "isolation/cgroup_versions.hpp"

namespace berth::isolation {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr int kShell = 4242;

SlotSpec slot_spec() {
  SlotSpec spec;
  spec.memory_bytes = 64 * kMiB;
  spec.disk_bytes = 32 * kMiB;
  spec.pids = 50;
  return spec;
}

class CgroupFake : public ::testing::Test {
 protected:
  std::unique_ptr<CgroupParent> open(const std::string& id = "c1") {
    can_ = Abilities();
    return open_cgroup_parent(id, CgroupSources{tree_.self_cgroup(), tree_.mountinfo(), &tree_, {"/"}}, can_);
  }
  std::unique_ptr<CgroupParent> must_open(const std::string& id = "c1") {
    auto parent = open(id);
    if (parent == nullptr) throw std::runtime_error(can_.why_no_cgroup);
    return parent;
  }
  FakeTree tree_;
  Abilities can_;
};

using CgroupV1 = CgroupFake;
using CgroupV2 = CgroupFake;

TEST_F(CgroupFake, NothingMountedIsASentence) {
  EXPECT_EQ(open(), nullptr);
  EXPECT_EQ(can_.cgroup_version, 0);
  EXPECT_THAT(can_.why_no_cgroup, HasSubstr("no control groups are mounted"));
}

TEST_F(CgroupV1, LimitsStandInEachTreeBelowTheOwnGroup) {
  const auto memory = tree_.mount_v1("memory", "/user");
  const auto pids = tree_.mount_v1("pids", "/");
  const auto cpu = tree_.mount_v1("cpu,cpuacct", "/");
  const auto parent = open();
  ASSERT_NE(parent, nullptr) << can_.why_no_cgroup;
  EXPECT_EQ(can_.cgroup_version, 1);
  EXPECT_TRUE(can_.cgroup_memory && can_.cgroup_pids && can_.cgroup_cpu);

  auto spec = slot_spec();
  spec.cpu = 0.5;
  const auto group = parent->make_slot("slot_0", spec);
  ASSERT_TRUE(group) << group.error().message;
  EXPECT_EQ(tree_.get(memory + "/berth/c1/slot_0/memory.limit_in_bytes"), std::to_string(96 * kMiB)) << "memory + disk";
  EXPECT_EQ(tree_.get(pids + "/berth/c1/slot_0/pids.max"), "50");
  EXPECT_EQ(tree_.get(cpu + "/berth/c1/slot_0/cpu.cfs_quota_us"), "50000");
  EXPECT_EQ((*group)->join_fds()->size(), 3U);
}

TEST_F(CgroupV1, ATreeOfCpuAloneIsJoinedOnlyForALimit) {
  tree_.mount_v1("memory", "/");
  const auto cpu = tree_.mount_v1("cpu", "/");
  const auto parent = must_open();
  auto spec = slot_spec();
  {
    const auto group = parent->make_slot("slot_0", spec);
    EXPECT_FALSE(tree_.exists(cpu + "/berth/c1/slot_0"));
  }
  spec.cpu = 2.0;
  const auto group = parent->make_slot("slot_0", spec);
  EXPECT_EQ(tree_.get(cpu + "/berth/c1/slot_0/cpu.cfs_quota_us"), "200000");
}

TEST_F(CgroupV1, UsageIsReadFromTheGroup) {
  const auto memory = tree_.mount_v1("memory", "/") + "/berth/c1/slot_0";
  const auto pids = tree_.mount_v1("pids", "/") + "/berth/c1/slot_0";
  const auto time = tree_.mount_v1("cpuacct", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  const auto group = *parent->make_slot("slot_0", slot_spec());
  tree_.set(memory + "/memory.max_usage_in_bytes", "123456\n");
  tree_.set(memory + "/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  tree_.set(pids + "/pids.current", "7\n");
  tree_.set(time + "/cpuacct.usage", "5000000\n");
  const auto usage = group->usage();
  EXPECT_EQ(usage.memory_peak_bytes, 123456U);
  EXPECT_EQ(usage.oom_kills, 3U);
  EXPECT_EQ(usage.processes, 7U);
  EXPECT_EQ(usage.cpu_microseconds, 5000U);
}

TEST_F(CgroupV1, AMissingTreeLeavesItsFiguresAndAbilityOut) {
  tree_.mount_v1("pids", "/");
  const auto parent = open();
  ASSERT_NE(parent, nullptr);
  EXPECT_FALSE(can_.cgroup_memory);
  EXPECT_FALSE(can_.cgroup_cpu);
  const auto usage = (*parent->make_slot("slot_0", slot_spec()))->usage();
  EXPECT_FALSE(usage.memory_peak_bytes);
  EXPECT_FALSE(usage.cpu_microseconds);
  EXPECT_TRUE(usage.processes);
}

TEST_F(CgroupV1, ARefusedGroupIsASentenceAndNothingElse) {
  const auto memory = tree_.mount_v1("memory", "/user");
  tree_.fail_at(memory + "/berth", EACCES);
  EXPECT_EQ(open(), nullptr);
  EXPECT_THAT(can_.why_no_cgroup, HasSubstr("Permission denied"));
  EXPECT_EQ(can_.cgroup_version, 0);
}

TEST_F(CgroupV1, ALimitThatIsRefusedLeavesNoHalfMadeGroup) {
  const auto memory = tree_.mount_v1("memory", "/");
  const auto pids = tree_.mount_v1("pids", "/");
  const auto parent = must_open();
  tree_.fail_at(pids + "/berth/c1/slot_0/pids.max", EINVAL);
  EXPECT_FALSE(parent->make_slot("slot_0", slot_spec()));
  EXPECT_FALSE(tree_.exists(memory + "/berth/c1/slot_0"));
  EXPECT_FALSE(tree_.exists(pids + "/berth/c1/slot_0"));
}

TEST_F(CgroupV1, ADelegatedGroupIsUsedInsteadOfTheOwn) {
  tree_.mount_v1("memory", "/docker/abc");
  const auto given = tree_.mount_v1("memory", "", "/berth/x/slots");
  const auto parent = open();
  ASSERT_NE(parent, nullptr);
  EXPECT_TRUE(tree_.exists(given + "/berth/c1"));
}

TEST_F(CgroupV1, RemovalOfABusyGroupIsAnErrorAndLaterWorks) {
  const auto memory = tree_.mount_v1("memory", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  const auto group = *parent->make_slot("slot_0", slot_spec());
  tree_.put_process(memory, kShell);
  const auto refused = group->remove();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "busy");
  tree_.set(memory + "/cgroup.procs", "");
  EXPECT_TRUE(group->remove());
  EXPECT_FALSE(tree_.exists(memory));
  EXPECT_TRUE(group->remove()) << "twice is harmless";
}

TEST_F(CgroupV1, ACallHasAGroupBelowItsSlot) {
  const auto memory = tree_.mount_v1("memory", "/") + "/berth/c1/slot_0";
  const auto pids = tree_.mount_v1("pids", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  const auto group = *parent->make_slot("slot_0", slot_spec());
  {
    const auto call = group->make_child("call_1", 8 * kMiB, std::nullopt);
    ASSERT_TRUE(call);
    EXPECT_EQ(tree_.get(memory + "/call_1/memory.limit_in_bytes"), std::to_string(8 * kMiB));
    EXPECT_EQ(tree_.get(pids + "/call_1/pids.max"), "max");
  }
  EXPECT_FALSE(tree_.exists(memory + "/call_1"));
}

TEST_F(CgroupFake, TheParentGoesWithItsObjectAndSoDoesTheFolder) {
  const auto memory = tree_.mount_v1("memory", "/");
  { const auto parent = must_open(); }
  EXPECT_FALSE(tree_.exists(memory + "/berth"));
}

TEST_F(CgroupFake, TwoServersOfOneNameGetParentsOfTheirOwn) {
  const auto memory = tree_.mount_v1("memory", "/");
  const auto first = must_open();
  const auto second = open();
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(tree_.exists(memory + "/berth/c1"));
  EXPECT_TRUE(tree_.exists(memory + "/berth/c1.1"));
}

TEST_F(CgroupFake, WhatACrashedServerLeftIsSweptAndALivingOnesIsNot) {
  const auto memory = tree_.mount_v1("memory", "/");
  const auto living = must_open("living");
  const auto group = living->make_slot("slot_0", slot_spec());
  ASSERT_EQ(tree_.make_directory(memory + "/berth/dead"), 0);
  ASSERT_EQ(tree_.make_directory(memory + "/berth/dead/slot_0"), 0);
  ASSERT_EQ(tree_.make_directory(memory + "/berth/haunted"), 0);
  tree_.put_process(memory + "/berth/haunted", kShell);

  const auto parent = must_open("new");
  EXPECT_FALSE(tree_.exists(memory + "/berth/dead"));
  EXPECT_TRUE(tree_.exists(memory + "/berth/haunted")) << "a group with a process is left alone";
  EXPECT_TRUE(tree_.exists(memory + "/berth/living/slot_0"));
}

TEST_F(CgroupV2, LimitsStandOnTheSlotAndProcessesLiveInALeaf) {
  const auto own = tree_.mount_v2("cpu memory pids", "/");
  const auto parent = open();
  ASSERT_NE(parent, nullptr) << can_.why_no_cgroup;
  EXPECT_EQ(can_.cgroup_version, 2);
  EXPECT_TRUE(can_.cgroup_memory && can_.cgroup_pids && can_.cgroup_cpu);

  auto spec = slot_spec();
  spec.cpu = 1.5;
  const auto group = *parent->make_slot("slot_0", spec);
  const auto slot = own + "/berth/c1/slot_0";
  EXPECT_EQ(tree_.get(slot + "/memory.max"), std::to_string(96 * kMiB));
  EXPECT_EQ(tree_.get(slot + "/memory.swap.max"), "0");
  EXPECT_EQ(tree_.get(slot + "/pids.max"), "50");
  EXPECT_EQ(tree_.get(slot + "/cpu.max"), "150000 100000");
  ASSERT_TRUE(group->add_process(kShell));
  EXPECT_EQ(tree_.get(slot + "/main/cgroup.procs"), "4242\n");

  const auto call = group->make_child("call_1", std::nullopt, 5);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(tree_.get(slot + "/call_1/pids.max"), "5");
}

TEST_F(CgroupV2, UsageIsTheSlotsAsAWhole) {
  const auto slot = tree_.mount_v2("memory pids", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  const auto group = *parent->make_slot("slot_0", slot_spec());
  tree_.set(slot + "/memory.peak", "777\n");
  tree_.set(slot + "/memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 0\n");
  tree_.set(slot + "/cpu.stat", "usage_usec 42\nuser_usec 40\n");
  const auto usage = group->usage();
  EXPECT_EQ(usage.memory_peak_bytes, 777U);
  EXPECT_EQ(usage.oom_kills, 1U);
  EXPECT_EQ(usage.cpu_microseconds, 42U);
}

TEST_F(CgroupV2, AServerAloneInItsGroupStepsAsideIntoALeaf) {
  auto* const root = &tree_;
  const auto mount = root->mount_v2("memory pids cpu", "/system/berth");
  const auto top = root->root() + "/unified";
  ASSERT_EQ(root->write(top + "/cgroup.subtree_control", "+memory"), 0);
  ASSERT_EQ(root->write(top + "/cgroup.subtree_control", "+pids"), 0);
  ASSERT_EQ(root->make_directory(top + "/system"), 0);
  ASSERT_EQ(root->write(top + "/system/cgroup.subtree_control", "+memory"), 0);
  ASSERT_EQ(root->write(top + "/system/cgroup.subtree_control", "+pids"), 0);
  ASSERT_EQ(root->make_directory(mount), 0);
  root->put_process(mount, ::getpid());

  const auto parent = open();
  ASSERT_NE(parent, nullptr) << can_.why_no_cgroup;
  EXPECT_EQ(root->get(mount + "/berth-server/cgroup.procs"), std::to_string(::getpid()) + "\n");
  EXPECT_TRUE(root->exists(mount + "/berth/c1"));
  EXPECT_FALSE(can_.cgroup_cpu) << "it is not passed on to this group";
}

TEST_F(CgroupV2, AGroupSharedWithAShellMovesTheSlotsToTheNextGroupAbove) {
  const auto own = tree_.mount_v2("memory pids", "/user/session");
  const auto top = tree_.root() + "/unified";
  for (const auto& directory : {top, top + "/user"}) {
    ASSERT_EQ(tree_.write(directory + "/cgroup.subtree_control", "+memory"), 0);
    ASSERT_EQ(tree_.write(directory + "/cgroup.subtree_control", "+pids"), 0);
    ASSERT_EQ(tree_.make_directory(directory == top ? top + "/user" : own), 0);
  }
  tree_.put_process(own, ::getpid());
  tree_.set(own + "/cgroup.procs", tree_.get(own + "/cgroup.procs") + "4242\n");
  const auto parent = open();
  ASSERT_NE(parent, nullptr) << can_.why_no_cgroup;
  EXPECT_TRUE(tree_.exists(top + "/user/berth/c1"));
  EXPECT_FALSE(tree_.exists(own + "/berth-server"));
}

TEST_F(CgroupV2, WithoutPermissionTheReasonIsASentence) {
  const auto own = tree_.mount_v2("memory pids", "/");
  tree_.fail_at(own + "/cgroup.subtree_control", EACCES);
  EXPECT_EQ(open(), nullptr);
  EXPECT_THAT(can_.why_no_cgroup, HasSubstr("Permission denied"));
}

TEST_F(CgroupV2, AHierarchyWithoutControllersIsNoUse) {
  tree_.mount_v2("hugetlb", "/");
  EXPECT_EQ(open(), nullptr);
  EXPECT_THAT(can_.why_no_cgroup, HasSubstr("neither a memory nor a pids controller"));
}

TEST_F(CgroupV2, RemovalTakesLeafAndSlot) {
  const auto slot = tree_.mount_v2("memory pids", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  const auto group = *parent->make_slot("slot_0", slot_spec());
  ASSERT_TRUE(group->add_process(kShell));
  EXPECT_EQ(group->remove().error().code, "busy");
  tree_.set(slot + "/main/cgroup.procs", "");
  EXPECT_TRUE(group->remove());
  EXPECT_FALSE(tree_.exists(slot));
}

TEST_F(CgroupFake, HugeLimitsDoNotOverflow) {
  const auto memory = tree_.mount_v1("memory", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  SlotSpec spec;
  spec.memory_bytes = spec.disk_bytes = kUnlimited - 1;
  ASSERT_TRUE(parent->make_slot("slot_0", spec)) << "the kernel takes limits up to 2^63 - 1";
  EXPECT_LE(limits_of_slot(spec).memory_bytes, std::uint64_t{1} << 63);
}

TEST_F(CgroupFake, AMeasureThatIsNotInForceIsNoLimit) {
  const auto memory = tree_.mount_v1("memory", "/") + "/berth/c1/slot_0";
  const auto pids = tree_.mount_v1("pids", "/") + "/berth/c1/slot_0";
  const auto parent = must_open();
  IsolationPlan plan;
  plan.in_force.set(static_cast<std::size_t>(Measure::pids_limit));
  const auto group = parent->make_slot("slot_0", limits_in_force(slot_spec(), plan));
  ASSERT_TRUE(group);
  EXPECT_EQ(tree_.get(memory + "/memory.limit_in_bytes"), "");
  EXPECT_EQ(tree_.get(pids + "/pids.max"), "50");
}

}  // namespace
}  // namespace berth::isolation
