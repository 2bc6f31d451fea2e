// SPDX-License-Identifier: Apache-2.0
#include "isolation/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::isolation {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using enum Measure;

// Root of a machine where everything works.
Abilities all_abilities() {
  Abilities can;
  can.user_namespaces = can.many_ids = can.fresh_proc = can.overlay_in_user_namespace = true;
  can.removable_lower_dirs = can.idmapped_mounts = can.root_user = can.is_root = can.loopback = can.seccomp = true;
  can.cgroup_memory = can.cgroup_pids = can.cgroup_cpu = true;
  can.cgroup_version = 1;
  return can;
}

Abilities container_root() {
  Abilities can = all_abilities();
  can.is_root = can.idmapped_mounts = false;
  return can;
}

Abilities ordinary_user() {
  Abilities can = all_abilities();
  can.many_ids = can.root_user = can.is_root = can.idmapped_mounts = false;
  can.cgroup_memory = can.cgroup_pids = can.cgroup_cpu = false;
  can.cgroup_version = 0;
  can.why_no_cgroup = "the control groups belong to root";
  return can;
}

ContainerSpec spec_with(IsolationLevel level) {
  ContainerSpec spec;
  spec.isolation = level;
  return spec;
}

TEST(PlanNames, EveryMeasureHasANameThatLeadsBackToIt) {
  for (std::size_t i = 0; i < kMeasureCount; ++i) {
    const auto measure = static_cast<Measure>(i);
    EXPECT_EQ(measure_from_string(to_string(measure)), measure) << i;
  }
  EXPECT_EQ(to_string(user_namespace), "user_namespace");
  EXPECT_EQ(to_string(shifted_ids), "shifted_ids");
  EXPECT_EQ(measure_from_string("userns"), std::nullopt);
}

TEST(Plan, RootOfTheMachineGetsEverythingUnderStrict) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.slot.cpu = 1.0;
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->rung, 1);
  EXPECT_TRUE(plan->in_force.all());
  EXPECT_TRUE(plan->writable_root);
  EXPECT_TRUE(plan->notes.empty());
}

TEST(Plan, ContainerRootKeepsTheContainersIdsAndAWritableRoot) {
  const auto plan = make_plan(spec_with(IsolationLevel::strict), container_root());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->rung, 1);
  EXPECT_FALSE(has(plan->wanted, shifted_ids));
  EXPECT_TRUE(plan->writable_root);
}

TEST(Plan, OrdinaryUserIsStrictWithAReadOnlySystem) {
  const auto plan = make_plan(spec_with(IsolationLevel::strict), ordinary_user());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->rung, 1);
  EXPECT_FALSE(plan->writable_root);
  EXPECT_TRUE(has(plan->in_force, pids_limit)) << "RLIMIT_NPROC binds with one mapped id";
  EXPECT_FALSE(has(plan->in_force, memory_limit));
  EXPECT_THAT(plan->notes, Contains(HasSubstr("one user id")));
  EXPECT_THAT(plan->notes, Contains(HasSubstr("slot.memory cannot be enforced: the control groups belong to root")));
}

TEST(Plan, StrictRefusesANamedLimitThatCannotBeEnforcedAndSaysWhatAllowsIt) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.named_limits = {"memory"};
  const auto plan = make_plan(spec, ordinary_user());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, "isolation");
  EXPECT_THAT(plan.error().message, HasSubstr("slot.memory cannot be enforced"));
  EXPECT_THAT(plan.error().hint, HasSubstr("Delegate=yes"));
  EXPECT_THAT(plan.error().hint, HasSubstr("isolation: best-effort"));
  spec.isolation = IsolationLevel::best_effort;
  EXPECT_TRUE(make_plan(spec, ordinary_user()));
}

TEST(Plan, NamedPidsLimitIsEnforcedByRlimitOnlyWhereItBinds) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.named_limits = {"pids"};
  auto can = all_abilities();
  can.cgroup_pids = false;
  EXPECT_TRUE(make_plan(spec, can)) << "shifted ids";
  EXPECT_TRUE(make_plan(spec, ordinary_user())) << "one id";
  auto container = container_root();
  container.cgroup_pids = false;
  EXPECT_FALSE(make_plan(spec, container)) << "the real uid 0 is exempt";
}

TEST(Plan, NamedCpuNeedsAControlGroupAndUnnamedCpuIsNotWanted) {
  auto spec = spec_with(IsolationLevel::strict);
  auto can = all_abilities();
  can.cgroup_cpu = false;
  EXPECT_FALSE(has(make_plan(spec, can)->wanted, cpu_limit));
  spec.slot.cpu = 0.5;
  spec.named_limits = {"cpu"};
  EXPECT_FALSE(make_plan(spec, can));
}

TEST(Plan, MaskedProcFallsToRungTwoWithCapSysAdminOnly) {
  auto can = all_abilities();
  can.fresh_proc = false;
  can.why_no_fresh_proc = "parts of /proc are covered";
  auto plan = make_plan(spec_with(IsolationLevel::strict), can);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->rung, 2);
  EXPECT_FALSE(has(plan->in_force, user_namespace));
  EXPECT_FALSE(has(plan->in_force, shifted_ids));
  EXPECT_TRUE(has(plan->in_force, fresh_proc));
  EXPECT_TRUE(plan->writable_root);
  EXPECT_THAT(plan->notes, Contains(HasSubstr("rung two")));

  can.is_root = false;
  plan = make_plan(spec_with(IsolationLevel::strict), can);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("parts of /proc are covered"));
  EXPECT_THAT(plan.error().hint, HasSubstr("MaskedPaths"));
}

TEST(Plan, WithoutUserNamespacesStrictRefusesAndBestEffortReportsRungThree) {
  auto can = ordinary_user();
  can.user_namespaces = false;
  can.why_no_user_namespaces = "the limit user.max_user_namespaces is reached";
  const auto strict = make_plan(spec_with(IsolationLevel::strict), can);
  ASSERT_FALSE(strict);
  EXPECT_THAT(strict.error().message, HasSubstr("user.max_user_namespaces is reached"));
  EXPECT_THAT(strict.error().hint, HasSubstr("sysctl -w user.max_user_namespaces="));

  const auto plan = make_plan(spec_with(IsolationLevel::best_effort), can);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->rung, 3);
  EXPECT_FALSE(has(plan->in_force, mount_namespace));
  EXPECT_FALSE(has(plan->in_force, seccomp));
  EXPECT_FALSE(plan->writable_root);
  EXPECT_TRUE(has(plan->in_force, clean_env));
  EXPECT_FALSE(plan->notes.empty());
}

TEST(Plan, WithoutSeccompStrictRefuses) {
  auto can = all_abilities();
  can.seccomp = false;
  EXPECT_FALSE(make_plan(spec_with(IsolationLevel::strict), can));
  EXPECT_FALSE(has(make_plan(spec_with(IsolationLevel::best_effort), can)->in_force, seccomp));
}

TEST(Plan, FullNetworkNeedsNoNetworkNamespace) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.slot.network = NetworkMode::full;
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_TRUE(plan);
  EXPECT_FALSE(has(plan->wanted, network_namespace));
  EXPECT_FALSE(has(plan->in_force, network_namespace));
}

// Row 46: a slot that could go past its proxy is not made, at no level.
TEST(Plan, AllowedHostsNeedANetworkNamespaceAtEveryLevel) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.slot.network = NetworkMode::allow;
  spec.slot.allow = {"a.test"};
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_TRUE(plan);
  EXPECT_TRUE(has(plan->in_force, network_namespace));
  spec.isolation = IsolationLevel::none;
  EXPECT_FALSE(make_plan(spec, all_abilities()));
  spec.isolation = IsolationLevel::best_effort;
  EXPECT_TRUE(make_plan(spec, all_abilities()));
  spec.measures_off = {"network_namespace"};
  EXPECT_FALSE(make_plan(spec, all_abilities()));
  spec.measures_off.clear();
  const auto refused = make_plan(spec, Abilities{});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("slot.network: allow"));
}

TEST(Plan, WithoutIdmappedMountsIdsAreTheContainersOwn) {
  auto can = all_abilities();
  can.idmapped_mounts = false;
  const auto plan = make_plan(spec_with(IsolationLevel::strict), can);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(has(plan->wanted, shifted_ids));
  EXPECT_FALSE(has(plan->in_force, shifted_ids));
  EXPECT_TRUE(plan->writable_root);
  EXPECT_THAT(plan->notes, Contains(HasSubstr("id-mapped")));
}

TEST(Plan, OldKernelsLimitIsReported) {
  auto can = all_abilities();
  can.removable_lower_dirs = false;
  const auto plan = make_plan(spec_with(IsolationLevel::strict), can);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->writable_root);
  EXPECT_THAT(plan->notes, Contains(HasSubstr("cannot be removed inside a slot")));
}

TEST(Plan, HostStorageIsReportedAndRefusedOnlyWhenDiskIsNamed) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.slot.storage = StorageMode::host;
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_TRUE(plan);
  EXPECT_TRUE(has(plan->in_force, disk_limit)) << "system files and /tmp stay bounded";
  EXPECT_THAT(plan->notes, Contains(HasSubstr("storage: host")));
  spec.named_limits = {"disk"};
  EXPECT_FALSE(make_plan(spec, all_abilities()));
}

TEST(Plan, MeasuresOffIsRefusedUnderStrictByName) {
  auto spec = spec_with(IsolationLevel::strict);
  spec.measures_off = {"seccomp"};
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("measures_off"));
  EXPECT_THAT(plan.error().message, HasSubstr("seccomp"));
}

TEST(Plan, AMeasureSwitchedOffTakesAlongWhatRestsOnIt) {
  auto spec = spec_with(IsolationLevel::best_effort);
  spec.measures_off = {"mount_namespace"};
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_TRUE(plan);
  for (auto gone : {mount_namespace, private_root, fresh_proc, masked_proc, minimal_dev, private_tmp, disk_limit}) {
    EXPECT_FALSE(has(plan->in_force, gone)) << to_string(gone);
  }
  EXPECT_TRUE(has(plan->in_force, seccomp));
  EXPECT_THAT(plan->notes, Contains(HasSubstr("mount_namespace is switched off")));
}

TEST(Plan, EachMeasureCanBeSwitchedOffAlone) {
  for (std::size_t i = 0; i < kMeasureCount; ++i) {
    const auto measure = static_cast<Measure>(i);
    auto spec = spec_with(IsolationLevel::best_effort);
    spec.slot.cpu = 1.0;
    spec.measures_off = {std::string(to_string(measure))};
    const auto plan = make_plan(spec, all_abilities());
    ASSERT_TRUE(plan) << to_string(measure);
    EXPECT_FALSE(has(plan->in_force, measure)) << to_string(measure);
    EXPECT_FALSE(has(plan->wanted, measure)) << to_string(measure);
  }
}

TEST(Plan, RungTwoNeedsToRaiseALoopbackUnlessTheNetworkIsShared) {
  auto can = all_abilities();
  can.fresh_proc = can.loopback = false;
  auto spec = spec_with(IsolationLevel::strict);
  const auto refused = make_plan(spec, can);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("CAP_NET_ADMIN"));
  EXPECT_THAT(refused.error().hint, HasSubstr("CAP_NET_ADMIN"));
  spec.slot.network = NetworkMode::full;
  EXPECT_TRUE(make_plan(spec, can));
  can.fresh_proc = true;  // rung one has all powers over its own network
  EXPECT_TRUE(make_plan(spec_with(IsolationLevel::strict), can));
}

TEST(Plan, UnknownMeasureIsAnError) {
  auto spec = spec_with(IsolationLevel::best_effort);
  spec.measures_off = {"sandbox"};
  const auto plan = make_plan(spec, all_abilities());
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("sandbox"));
}

TEST(Plan, UserNamespaceOffIsRungTwoForRootAndRungThreeForOthers) {
  auto spec = spec_with(IsolationLevel::best_effort);
  spec.measures_off = {"user_namespace"};
  EXPECT_EQ(make_plan(spec, all_abilities())->rung, 2);
  EXPECT_EQ(make_plan(spec, ordinary_user())->rung, 3);
}

TEST(Plan, LevelNoneWantsOnlyWhatNeedsNoNamespace) {
  const auto plan = make_plan(spec_with(IsolationLevel::none), all_abilities());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->rung, 3);
  EXPECT_FALSE(has(plan->wanted, user_namespace));
  EXPECT_FALSE(has(plan->in_force, seccomp));
  EXPECT_TRUE(has(plan->in_force, memory_limit));
  EXPECT_TRUE(plan->notes.empty());
}

}  // namespace
}  // namespace berth::isolation
