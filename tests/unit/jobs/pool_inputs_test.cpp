// SPDX-License-Identifier: Apache-2.0
// Inputs that everybody gets who leases a slot, from a job file to what an agent reads.
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kHead = "job: pool\nvars: {where: code}\n";

TEST(PoolInputs, HaveTheirVarsReplaced) {
  const Job job =
      good(std::string(kHead) + "inputs: [{from: \"./{{vars.where}}\", to: \"/workspace/{{vars.where}}/\"}]\n");
  const auto inputs = pool_inputs(job);
  ASSERT_TRUE(inputs.has_value());
  ASSERT_THAT(*inputs, SizeIs(1));
  EXPECT_EQ(inputs->front().from, "./code");
  EXPECT_EQ(inputs->front().to, "/workspace/code/");
}

TEST(PoolInputs, ThatDifferFromTrajectoryToTrajectoryAreNamedWithTheirPlace) {
  for (const std::string name : {"index", "trajectory"}) {
    const Job job = good(std::string(kHead) + "inputs:\n  - {from: a, to: /workspace/a}\n  - {from: \"b-{{" + name +
                         "}}\", to: /workspace/b}\n");
    const auto inputs = pool_inputs(job);
    ASSERT_FALSE(inputs.has_value());
    ASSERT_THAT(inputs.error(), SizeIs(1));
    EXPECT_THAT(to_string(inputs.error().front()), HasSubstr("job.yaml:5:"));
    EXPECT_THAT(inputs.error().front().message, HasSubstr("{{" + name + "}}"));
    EXPECT_THAT(inputs.error().front().message, HasSubstr("berth run"));
  }
}

TEST(PoolInputs, KeepTheSlashThatMeansIntoTheFolder) {
  for (const std::string to : {"/workspace", "/workspace/", "/workspace/a", "/workspace/a/"}) {
    const Job job = good("job: pool\ninputs: [{from: a, to: " + to + "}]\n");
    ASSERT_TRUE(pool_inputs(job).has_value());
    EXPECT_EQ(pool_inputs(job)->front().to, to);
  }
}

TEST(PoolInputs, ThatLeaveTheWorkspaceAreRefused) {
  Job job = good(kHead);
  job.inputs = {{"a", "/workspace/../etc", {}}};
  EXPECT_FALSE(pool_inputs(job).has_value());
}

TEST(PoolInputs, OfAPoolsTextReadBackAsTheyWereWritten) {
  const Folder folder;
  const std::string file = folder.write("job.yaml", std::string(kHead) + "slots: 3\nenv: {A: \"}\"}\n");
  const auto text = pool_yaml(file);
  ASSERT_TRUE(text.has_value());
  const std::vector<Input> sent{{"sha256:" + std::string(64, 'a'), "/workspace", {}},
                                {"sha256:" + std::string(64, 'b'), "/workspace/a b, {{{c}} \"d\": #e", {}}};
  const Job job = good(with_inputs(*text, sent), {}, "");
  EXPECT_EQ(job.slots, 3U);
  const auto inputs = pool_inputs(job);
  ASSERT_TRUE(inputs.has_value());
  ASSERT_THAT(*inputs, SizeIs(2));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ((*inputs)[i].from, sent[i].from);
    EXPECT_EQ((*inputs)[i].to, sent[i].to);
  }
  EXPECT_EQ(with_inputs(*text, {}), *text);
}

}  // namespace
}  // namespace berth::jobs
