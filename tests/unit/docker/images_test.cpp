// SPDX-License-Identifier: Apache-2.0
// Images that the engine does not have yet.
#include "base/fd.hpp"
#include "base/text.hpp"
#include "tests/unit/docker/driver_fixture.hpp"

namespace berth::drivers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(DockerDriverTest, AMissingImageIsPulledOnceForAllWhoWait) {
  engine->pull_lines = {R"({"status":"Pulling from library/x","id":"1"})",
                        R"({"status":"Downloading","id":"aa","progressDetail":{"current":500000,"total":2000000}})",
                        R"({"status":"Pull complete","id":"aa"})"};
  driver->converge({wanted("c1", "reg.example/x:1"), wanted("c2", "reg.example/x:1")});
  until_heard(2);
  EXPECT_EQ(heard[0].state, ContainerState::running);
  EXPECT_EQ(heard[1].state, ContainerState::running);
  EXPECT_EQ(engine->credentials.size(), 1U);
  EXPECT_THAT(told, Contains("pulling reg.example/x:1: 0 of 1 layers, 0.5 MB of 2.0 MB"));
  EXPECT_THAT(told, Contains("pulled reg.example/x:1"));
}

TEST_F(DockerDriverTest, APullThatFailsHalfwayIsTheRegistrysWords) {
  engine->pull_lines = {R"({"status":"Downloading","id":"aa"})",
                        R"({"error":"toomanyrequests: slow down","errorDetail":{"message":"toomanyrequests"}})"};
  driver->converge({wanted("c1", "x:1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "pull_failed");
  EXPECT_THAT(error_of(0).message, HasSubstr("toomanyrequests: slow down"));
  EXPECT_THAT(error_of(0).hint, HasSubstr("docker pull x:1"));
}

TEST_F(DockerDriverTest, APullThatIsRefusedIsTheRegistrysWords) {
  engine->refusals["POST /images/create"] = {404, "manifest for x:latest not found"};
  driver->converge({wanted("c1", "x")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "image_missing");
  EXPECT_THAT(error_of(0).message, HasSubstr("manifest for x:latest not found"));
}

TEST_F(DockerDriverTest, ARegistryThatWantsCredentialsIsToBeLoggedInTo) {
  engine->refusals["POST /images/create"] = {500, "Head \"https://reg.example/v2\": no basic auth credentials"};
  driver->converge({wanted("c1", "reg.example/x:1")});
  until_heard(1);
  EXPECT_EQ(error_of(0).code, "registry_denied");
  EXPECT_THAT(error_of(0).hint, HasSubstr("docker login reg.example"));
}

TEST_F(DockerDriverTest, APullThatNobodyWaitsForAnyMoreEnds) {
  engine->endless_pull = true;
  engine->pull_lines = {R"({"status":"Downloading","id":"aa"})"};
  driver->converge({wanted("c1", "x")});
  loop.until([this] { return engine->credentials.size() == 1; });
  driver->converge({});
  until_heard(1);
  EXPECT_FALSE(heard[0].error.has_value());
  loop.until([this] { return engine->pulls_cut == 1; });
}

TEST_F(DockerDriverTest, CredentialsOfTheRegistryGoWithThePull) {
  const std::string config = R"({"auths":{"reg.example":{"auth":")" + base64_encode("user:se:cret") + R"("}}})";
  ASSERT_TRUE(write_file_atomically(directory / "docker.json", config).has_value());
  driver->converge({wanted("c1", "reg.example/x:1"), wanted("c2", "other.example/x:1")});
  until_heard(2);
  ASSERT_EQ(engine->credentials.size(), 2U);
  std::string sent = engine->credentials[0].empty() ? engine->credentials[1] : engine->credentials[0];
  EXPECT_EQ(base64_decode(sent).value_or(""),
            R"({"password":"se:cret","serveraddress":"reg.example","username":"user"})");
  EXPECT_TRUE(engine->credentials[0].empty() || engine->credentials[1].empty());
  for (const std::string& line : told) EXPECT_THAT(line, ::testing::Not(HasSubstr("cret")));
}

TEST_F(DockerDriverTest, AHelperThatWouldKnowTheCredentialsIsNamedWhenThePullFails) {
  ASSERT_TRUE(write_file_atomically(directory / "docker.json", R"({"credsStore":"pass"})").has_value());
  engine->refusals["POST /images/create"] = {404, "pull access denied"};
  driver->converge({wanted("c1", "reg.example/x:1")});
  until_heard(1);
  EXPECT_THAT(error_of(0).hint, HasSubstr("kept by pass"));
}

// Row 47 of the threats: what a name holds never becomes another request.
TEST_F(DockerDriverTest, NamesOfImagesCannotReachAnotherRoute) {
  const std::vector<std::string> names{"../../containers/x?force=1",
                                       "a/../../b",
                                       "a b",
                                       "a\r\nX: y",
                                       "a?b=c",
                                       "a%2e%2e",
                                       "a#b",
                                       "/etc",
                                       "a//b",
                                       "",
                                       "a:b:c",
                                       "a@sha256:1",
                                       "-a",
                                       "a/./b",
                                       "a&tag=x"};
  std::vector<Wanted> all;
  for (std::size_t i = 0; i < names.size(); ++i) all.push_back(wanted("c" + std::to_string(i), names[i]));
  driver->converge(all);
  until_heard(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(error_of(i).code, "bad_image") << i;
  for (const std::string& each : engine->requests) {
    EXPECT_THAT(each, ::testing::Not(HasSubstr("/images/")));
    EXPECT_THAT(each, ::testing::Not(HasSubstr("create")));
  }
}

TEST_F(DockerDriverTest, ALabelOfAnAgentStaysInItsPlace) {
  bring_up("c1");
  for (const std::string& each : engine->requests) EXPECT_EQ(each.find_first_of(" \"{}", 8), std::string::npos) << each;
}

}  // namespace
}  // namespace berth::drivers
