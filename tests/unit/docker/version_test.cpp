// SPDX-License-Identifier: Apache-2.0
// Which version of the Engine API is spoken.
#include "drivers/docker/answers.hpp"
#include "drivers/docker/engine.hpp"
#include "tests/unit/docker/driver_fixture.hpp"

namespace berth::drivers::docker {
namespace {

using ::testing::HasSubstr;

class DockerVersionTest : public DockerDriverTest {
 protected:
  Expected<EngineFacts> facts() { return loop.run(client_.facts(Deadline(now() + engine_limit))); }

 private:
  Engine client_{loop.context, *find_endpoint({"unix:" + (directory / "engine"), false, ""})};
};

TEST_F(DockerVersionTest, IsTheEnginesWhereItIsKnown) {
  engine->api_version = "1.43";
  ASSERT_TRUE(facts().has_value());
  EXPECT_TRUE(asked("GET /v1.43/info"));
  EXPECT_FALSE(asked("GET /version"));
}

TEST_F(DockerVersionTest, IsOursWhereTheEngineIsNewer) {
  engine->api_version = "1.99";
  ASSERT_TRUE(facts().has_value());
  EXPECT_TRUE(asked("GET /v1.47/info"));
}

TEST_F(DockerVersionTest, IsRefusedWhereItIsTooOld) {
  engine->api_version = "1.39";
  const auto answer = facts();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, "engine_refused");
  EXPECT_THAT(answer.error().message, HasSubstr("speaks version 1.39 of its API, 1.40 is needed"));
}

TEST_F(DockerVersionTest, IsAskedForWhereAProxyTookTheHeaderAway) {
  engine->api_version.clear();
  engine->version = R"({"Version":"20.10.24","ApiVersion":"1.42","MinAPIVersion":"1.12"})";
  ASSERT_TRUE(facts().has_value());
  EXPECT_TRUE(asked("GET /v1.42/info"));
}

TEST_F(DockerVersionTest, OfWhatIsNoEngineIsNone) {
  engine->api_version.clear();
  for (const char* version : {"", "no JSON", "[]", R"({"ApiVersion":41})", R"({"ApiVersion":"2.0"})"}) {
    engine->version = version;
    const auto answer = facts();
    ASSERT_FALSE(answer.has_value()) << version;
    EXPECT_EQ(answer.error().code, "engine_protocol") << version;
    EXPECT_THAT(answer.error().message, HasSubstr("names no version of the Engine API")) << version;
  }
}

}  // namespace
}  // namespace berth::drivers::docker
