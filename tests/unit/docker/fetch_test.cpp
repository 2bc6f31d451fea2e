// SPDX-License-Identifier: Apache-2.0
// Files on their way out of a container.
#include "base/text.hpp"
#include "drivers/docker/engine.hpp"
#include "drivers/docker/tar_content.hpp"
#include "drivers/docker/tar_header.hpp"
#include "tests/unit/docker/driver_fixture.hpp"

namespace berth::drivers::docker {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMost = 1000;

std::string tar_of_one(const std::string& content) {
  return tar_header("f", content.size(), 0644, 0) + content + std::string(tar_padding(content.size()), '\0') +
         tar_end();
}

class DockerFetchTest : public DockerDriverTest {
 protected:
  Expected<std::string> fetch(const std::string& facts, const std::string& tar) {
    testing::EngineContainer container;
    container.name = "c";
    container.facts = facts;
    container.files = tar;
    engine->put_foreign("id", container);
    Engine client(loop.context, *find_endpoint({"unix:" + (directory / "engine"), false, ""}));
    return loop.run(client.fetch_file("c", "/a b?&#%/f", kMost, Deadline(now() + engine_limit)));
  }
  std::string code_of(const std::string& facts, const std::string& tar) {
    const auto fetched = fetch(facts, tar);
    return fetched ? "fetched" : fetched.error().code;
  }
};

TEST_F(DockerFetchTest, APlainFileComesAsItIs) {
  const std::string content("a\0b\n", 4);
  EXPECT_EQ(fetch(R"({"name":"f","size":4,"mode":420,"linkTarget":""})", tar_of_one(content)), content);
  EXPECT_EQ(fetch(R"({"name":"f","size":0,"mode":8388997})", tar_of_one("")), "");
  EXPECT_TRUE(asked("GET /v1.41/containers/c/archive?path=%2Fa%20b%3F%26%23%25%2Ff"));
}

TEST_F(DockerFetchTest, WhatIsNoPlainFileIsNotRead) {
  const std::string tar = tar_of_one("1234");
  EXPECT_EQ(code_of(R"({"size":4,"mode":2147484141})", tar), "not_a_file");                   // a directory
  EXPECT_EQ(code_of(R"({"size":4,"mode":134218239,"linkTarget":"/x"})", tar), "not_a_file");  // a link
  EXPECT_EQ(code_of(R"({"size":0,"mode":33554852})", tar), "not_a_file");                     // a pipe
  EXPECT_EQ(code_of(R"({"size":0,"mode":69206454})", tar), "not_a_file");                     // a character device
}

TEST_F(DockerFetchTest, AFileOverTheBoundIsNotRead) {
  const auto fetched = fetch(R"({"size":1001,"mode":420})", tar_of_one(std::string(1001, 'x')));
  ASSERT_FALSE(fetched.has_value());
  EXPECT_EQ(fetched.error().code, "too_large");
  EXPECT_THAT(fetched.error().message, HasSubstr("has 1001 bytes, 1000 are taken at most"));
}

TEST_F(DockerFetchTest, AnEngineThatLiesIsNotBelieved) {
  const std::string facts = R"({"size":4,"mode":420})";
  EXPECT_EQ(code_of("", tar_of_one("1234")), "engine_protocol");
  EXPECT_EQ(code_of(R"({"size":-1,"mode":420})", tar_of_one("1234")), "engine_protocol");
  EXPECT_EQ(code_of(facts, "no tar at all"), "engine_protocol");
  EXPECT_EQ(code_of(facts, ""), "engine_protocol");
  EXPECT_EQ(code_of(facts, tar_of_one(std::string(100'000, 'x'))), "engine_protocol");
  EXPECT_EQ(code_of(facts, tar_header("f", std::uint64_t{7} << 30, 0644, 0)), "engine_protocol");
}

TEST_F(DockerFetchTest, ARefusalIsTheEnginesOwnWords) {
  engine->refusals["GET /containers/c/archive"] = {404, "Could not find the file /f in container c"};
  const auto fetched = fetch("", "");
  ASSERT_FALSE(fetched.has_value());
  EXPECT_EQ(fetched.error().code, "engine_missing");
  EXPECT_THAT(fetched.error().message, HasSubstr("Could not find the file /f"));
}

TEST(DockerTarContent, OnlyAFileCounts) {
  std::string link = tar_header("f", 0, 0644, 0);
  link[156] = '2';
  link.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : link) sum += static_cast<unsigned char>(c);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  link.replace(148, 7, digits, 7);
  const auto content = file_in_tar(link + tar_end());
  ASSERT_FALSE(content.has_value());
  EXPECT_EQ(content.error().message, "the Docker Engine packed a file as something else");
}

}  // namespace
}  // namespace berth::drivers::docker
