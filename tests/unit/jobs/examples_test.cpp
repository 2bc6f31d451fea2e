// SPDX-License-Identifier: Apache-2.0
#include "base/fd.hpp"
#include "jobs/keys.hpp"
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

// What an example wants from whoever runs it.
LoadOptions options_for(const std::string& name) {
  if (name == "project-tests.yaml") return {.sets = {"vars.project=/tmp"}};
  if (name == "compile.yaml") return {.sets = {"vars.source=/tmp"}};
  return {};
}

TEST(Examples, AreGoodJobFilesAndEveryTrajectoryExpands) {
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BERTH_SOURCE_DIR "/examples")) {
    // The agent's configuration is no job; tests/unit/config reads it.
    if (entry.path().extension() != ".yaml" || entry.path().filename() == "agent.yaml") continue;
    ++seen;
    const auto job = load_job(entry.path().string(), options_for(entry.path().filename().string()));
    ASSERT_TRUE(job.has_value()) << to_string(job.error().at(0));
    const auto trajectories = load_trajectories(*job);
    ASSERT_TRUE(trajectories.has_value()) << to_string(trajectories.error().at(0));
    for (const Trajectory& trajectory : *trajectories)
      EXPECT_TRUE(expand(*job, trajectory).has_value()) << trajectory.name;
  }
  EXPECT_GE(seen, 5U);
}

TEST(Examples, SayWhatTheyWant) {
  const auto job = load_job(BERTH_SOURCE_DIR "/examples/project-tests.yaml");
  ASSERT_FALSE(job.has_value());
  EXPECT_THAT(to_string(job.error().at(0)), ::testing::HasSubstr("--set vars.project=VALUE"));
}

std::string reference() {
  const auto text = read_file(BERTH_SOURCE_DIR "/docs/job-file.md");
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

TEST(Reference, ItsFirstJobFileIsGood) {
  const std::string text = reference();
  const auto begin = text.find("```yaml\n") + 8;
  EXPECT_EQ(good(text.substr(begin, text.find("```", begin) - begin)).name, "hello");
}

TEST(Reference, NamesEveryKey) {
  const std::string text = reference();
  for (const KeyRule& key : job_rule().keys) {
    EXPECT_THAT(text, ::testing::HasSubstr('`' + std::string(key.key) + '`'));
    if (key.object == nullptr) continue;
    for (const KeyRule& inner : key.object->keys) EXPECT_THAT(text, ::testing::HasSubstr(std::string(inner.key)));
  }
}

}  // namespace
}  // namespace berth::jobs
