// SPDX-License-Identifier: Apache-2.0
#include "agent/api/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace berth::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

jobs::Job job_of() {
  jobs::Job job;
  job.name = "pool";
  job.env = {{"SECRET", "canary"}};
  return job;
}

TEST(Plan, OfANewJobCreatesIt) {
  const Json plan = plan_of(nullptr, job_of());
  EXPECT_EQ(plan.at("action"), "create");
  EXPECT_EQ(plan.at("replaces_containers"), false);
  EXPECT_FALSE(plan.at("changes").empty());
}

TEST(Plan, OfTheSameJobIsNone) {
  const auto job = job_of();
  const Json plan = plan_of(&job, job);
  EXPECT_EQ(plan.at("action"), "none");
  EXPECT_TRUE(plan.at("changes").empty());
}

TEST(Plan, NamesEachChangeAndWhetherContainersAreReplaced) {
  const auto before = job_of();
  auto after = before;
  after.containers.max = 4;
  after.lease.idle = Seconds(5);
  Json plan = plan_of(&before, after);
  EXPECT_EQ(plan.at("action"), "update");
  EXPECT_EQ(plan.at("replaces_containers"), false);
  ASSERT_EQ(plan.at("changes").size(), 2U);
  EXPECT_EQ(plan.at("changes")[0], (Json{{"key", "containers.max"}, {"from", 1}, {"to", 4}}));
  after.slot.pids = 5;
  EXPECT_EQ(plan_of(&before, after).at("replaces_containers"), true);
  after = before;
  after.slots = 11;
  EXPECT_EQ(plan_of(&before, after).at("replaces_containers"), true);
}

TEST(Plan, SeesOtherInputsWhichReplaceNoContainer) {
  const auto before = job_of();
  auto after = before;
  after.inputs = {{"sha256:one", "/workspace/a", {}}};
  const Json plan = plan_of(&before, after);
  EXPECT_EQ(plan.at("action"), "update");
  EXPECT_EQ(plan.at("replaces_containers"), false);
  EXPECT_EQ(plan.at("changes")[0], (Json{{"key", "inputs.0.from"}, {"from", nullptr}, {"to", "sha256:one"}}));
  EXPECT_EQ(plan_of(&after, before).at("action"), "update");
  EXPECT_EQ(plan_of(&after, after).at("action"), "none");
  EXPECT_EQ(plan_of(nullptr, before).at("action"), "create");
}

TEST(Plan, HidesValuesOfTheEnvironmentAndStillSeesThemChange) {
  const auto before = job_of();
  auto after = before;
  after.env["SECRET"] = "another-canary";
  const Json plan = plan_of(&before, after);
  EXPECT_EQ(plan.at("changes")[0].at("key"), "env.SECRET");
  EXPECT_THAT(plan.dump(), Not(HasSubstr("canary")));
  EXPECT_THAT(public_description(before).dump(), Not(HasSubstr("canary")));
  EXPECT_THAT(public_description(before).dump(), HasSubstr("SECRET"));
}

}  // namespace
}  // namespace berth::agent
