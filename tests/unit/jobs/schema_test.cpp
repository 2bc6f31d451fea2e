// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "jobs/keys.hpp"
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

TEST(Schema, IsTheOneThatIsShipped) {
  const auto shipped = read_file(BERTH_SOURCE_DIR "/docs/job.schema.json");
  const std::string fresh = (std::filesystem::temp_directory_path() / "job.schema.json").string();
  if (shipped && *shipped == job_schema()) return;
  std::ofstream(fresh) << job_schema();
  FAIL() << "docs/job.schema.json is not what job_schema() gives; the new one is " << fresh;
}

TEST(Schema, HasEveryKeyOfTheTable) {
  const auto schema = parse_json(job_schema());
  ASSERT_TRUE(schema.has_value());
  for (const KeyRule& key : job_rule().keys)
    EXPECT_TRUE(schema->at("properties").contains(std::string(key.key))) << key.key;
  EXPECT_EQ(schema->at("additionalProperties"), false);
}

TEST(Schema, DefaultsAreValidJson) {
  for (const KeyRule& key : job_rule().keys) {
    EXPECT_TRUE(key.default_json.empty() || parse_json(key.default_json).has_value()) << key.key;
  }
}

}  // namespace
}  // namespace berth::jobs
