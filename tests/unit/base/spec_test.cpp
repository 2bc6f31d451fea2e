// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <gmock/gmock.h>

#include "berth/call.hpp"
#include "berth/container_spec.hpp"

namespace berth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Cause, EverySpellingGoesBothWays) {
  for (int i = 0; i <= static_cast<int>(Cause::transport); ++i) {
    const auto cause = static_cast<Cause>(i);
    ASSERT_NE(to_string(cause), "") << i;
    EXPECT_EQ(cause_from_string(to_string(cause)), cause);
  }
  EXPECT_EQ(to_string(Cause::container_lost), "container_lost");
}

TEST(Cause, UnknownSpellingsAreNone) {
  for (const char* text : {"", "Exit", "exit ", "oom", "slot-lost"}) EXPECT_EQ(cause_from_string(text), std::nullopt);
}

TEST(Error, CarriesTheSystemsWordsAndItsContext) {
  const Error error = errno_error("opening x", EACCES).within("reading job.yaml");
  EXPECT_EQ(error.code, "system");
  EXPECT_EQ(error.message, "reading job.yaml: opening x: Permission denied");
  EXPECT_THAT(errno_error("x", 99999).message, HasSubstr("99999"));
  EXPECT_EQ(Expected<void>(fail_errno("x", ENOENT)).error().message, "x: No such file or directory");
}

TEST(ContainerSpec, AnEmptyObjectIsTheDefault) {
  const auto spec = container_spec_from_json("{}");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->id, "local");
  EXPECT_EQ(spec->slots, 10U);
  EXPECT_EQ(spec->slot.memory_bytes, std::uint64_t{512} << 20);
  EXPECT_EQ(spec->slot.cpu, std::nullopt);
  EXPECT_EQ(spec->isolation, IsolationLevel::strict);
}

TEST(ContainerSpec, EveryMemberSurvivesTheRoundTrip) {
  ContainerSpec spec;
  spec.id = "c-1";
  spec.slots = 1000;
  spec.slot = {.cpu = 1.5,
               .memory_bytes = 64 << 20,
               .pids = 7,
               .disk_bytes = 1 << 20,
               .network = NetworkMode::full,
               .storage = StorageMode::host,
               .output_kill_bytes = 4096};
  spec.isolation = IsolationLevel::best_effort;
  spec.named_limits = {"cpu", "disk"};
  spec.env = {{"A", "x=y\nz"}, {"EMPTY", ""}};
  spec.setup = {"echo a\necho b"};
  spec.root = RootMode::container;
  spec.rootfs = "/srv/root";
  spec.user = "app:1000";
  spec.image_env = {"PATH=/bin", "EMPTY="};
  spec.max_timeout_seconds = 0.5;
  spec.measures_off = {"seccomp"};
  const auto back = container_spec_from_json(container_spec_to_json(spec));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->id, "c-1");
  EXPECT_EQ(back->slots, 1000U);
  EXPECT_EQ(back->slot.cpu, 1.5);
  EXPECT_EQ(back->slot.memory_bytes, std::uint64_t{64} << 20);
  EXPECT_EQ(back->slot.pids, 7U);
  EXPECT_EQ(back->slot.disk_bytes, std::uint64_t{1} << 20);
  EXPECT_EQ(back->slot.network, NetworkMode::full);
  EXPECT_EQ(back->slot.storage, StorageMode::host);
  EXPECT_EQ(back->slot.output_kill_bytes, 4096U);
  EXPECT_EQ(back->isolation, IsolationLevel::best_effort);
  EXPECT_THAT(back->named_limits, ElementsAre("cpu", "disk"));
  EXPECT_THAT(back->env, ElementsAre(Pair("A", "x=y\nz"), Pair("EMPTY", "")));
  EXPECT_THAT(back->setup, ElementsAre("echo a\necho b"));
  EXPECT_EQ(back->root, RootMode::container);
  EXPECT_EQ(back->rootfs, "/srv/root");
  EXPECT_EQ(back->user, "app:1000");
  EXPECT_THAT(back->image_env, ElementsAre("PATH=/bin", "EMPTY="));
  EXPECT_EQ(back->max_timeout_seconds, 0.5);
  EXPECT_THAT(back->measures_off, ElementsAre("seccomp"));
}

TEST(ContainerSpec, KeepsTheListOfAllowedHosts) {
  ContainerSpec spec;
  spec.slot.network = NetworkMode::allow;
  spec.slot.allow = {"a.test", "*.b.test:443"};
  const auto back = container_spec_from_json(container_spec_to_json(spec));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->slot.network, NetworkMode::allow);
  EXPECT_THAT(back->slot.allow, ElementsAre("a.test", "*.b.test:443"));
}

struct BadSpec {
  std::string text;
  std::string named;  // what the message must name
};

class RefusedSpec : public ::testing::TestWithParam<BadSpec> {};
TEST_P(RefusedSpec, NamesTheKey) {
  const auto spec = container_spec_from_json(GetParam().text);
  ASSERT_FALSE(spec) << GetParam().text;
  EXPECT_THAT(spec.error().message, HasSubstr(GetParam().named)) << GetParam().text;
}
INSTANTIATE_TEST_SUITE_P(
    Types, RefusedSpec,
    ::testing::Values(BadSpec{"", "container specification"}, BadSpec{"[]", "object"}, BadSpec{"null", "object"},
                      BadSpec{R"({"slots":"10"})", "slots"}, BadSpec{R"({"slots":true})", "slots"},
                      BadSpec{R"({"slots":null})", "slots"}, BadSpec{R"({"slot":[]})", "slot"},
                      BadSpec{R"({"slot":{"cpu":"2"}})", "slot.cpu"}, BadSpec{R"({"slot":{"cpu":null}})", "slot.cpu"},
                      BadSpec{R"({"slot":{"memory_bytes":"512MiB"}})", "slot.memory_bytes"},
                      BadSpec{R"({"env":[]})", "env"}, BadSpec{R"({"env":{"A":1}})", "env.A"},
                      BadSpec{R"({"setup":"x"})", "setup"}, BadSpec{R"({"setup":[1]})", "setup[0]"},
                      BadSpec{R"({"isolation":true})", "isolation"}, BadSpec{R"({"id":7})", "id"}));
INSTANTIATE_TEST_SUITE_P(
    Ranges, RefusedSpec,
    ::testing::Values(BadSpec{R"({"slots":0})", "slots"}, BadSpec{R"({"slots":1001})", "slots"},
                      BadSpec{R"({"slots":-1})", "slots"}, BadSpec{R"({"slots":1.5})", "slots"},
                      BadSpec{R"({"slots":1e300})", "slots"}, BadSpec{R"({"slot":{"cpu":0}})", "slot.cpu"},
                      BadSpec{R"({"slot":{"cpu":-1}})", "slot.cpu"}, BadSpec{R"({"slot":{"cpu":1e9}})", "slot.cpu"},
                      BadSpec{R"({"slot":{"memory_bytes":1}})", "slot.memory_bytes"},
                      BadSpec{R"({"slot":{"pids":0}})", "slot.pids"},
                      BadSpec{R"({"slot":{"disk_bytes":0}})", "slot.disk_bytes"},
                      BadSpec{R"({"slot":{"output_kill_bytes":0}})", "slot.output_kill_bytes"},
                      BadSpec{R"({"max_timeout_seconds":0})", "max_timeout_seconds"},
                      BadSpec{R"({"max_timeout_seconds":1e9})", "max_timeout_seconds"}, BadSpec{R"({"id":""})", "id"},
                      BadSpec{R"({"id":"../x"})", "id"}, BadSpec{R"({"id":"A"})", "id"},
                      BadSpec{R"({"id":")" + std::string(64, 'a') + "\"}", "id"}));
INSTANTIATE_TEST_SUITE_P(
    Values, RefusedSpec,
    ::testing::Values(BadSpec{R"({"isolation":"Strict"})", "isolation"}, BadSpec{R"({"isolation":""})", "isolation"},
                      BadSpec{R"({"slot":{"network":"allow"}})", "slot.network"},
                      BadSpec{R"({"slot":{"network":"allow","allow":[]}})", "slot.network"},
                      BadSpec{R"({"slot":{"network":"full","allow":["a.test"]}})", "slot.network"},
                      BadSpec{R"({"slot":{"network":"allow","allow":["*"]}})", "slot.allow[0]"},
                      BadSpec{R"({"slot":{"storage":"disk"}})", "slot.storage"},
                      BadSpec{R"({"named_limits":["ram"]})", "named_limits[0]"},
                      BadSpec{R"({"rootfs":"relative"})", "rootfs"}, BadSpec{R"({"setup":["ok",""]})", "setup[1]"},
                      BadSpec{R"({"env":{"":"x"}})", "env"}, BadSpec{R"({"env":{"A=B":"x"}})", "env"},
                      BadSpec{R"({"env":{"A\u0000":"x"}})", "env"}, BadSpec{R"({"env":{"A":"x\u0000"}})", "env.A"},
                      BadSpec{R"({"rootfs":"/a\u0000b"})", "rootfs"}, BadSpec{R"({"slots":1,"slots":2})", "slots"},
                      BadSpec{R"({"root":"image"})", "root"}, BadSpec{R"({"image_env":["A"]})", "image_env[0]"},
                      BadSpec{R"({"image_env":["=A"]})", "image_env[0]"},
                      BadSpec{R"({"user":")" + std::string(257, 'a') + "\"}", "user"},
                      BadSpec{R"({"measures_off":["seccomp"]})", "measures_off"}));

TEST(ContainerSpec, SuggestsTheNearestKey) {
  const auto spec = container_spec_from_json(R"({"slot":{"memory_byte":1}})");
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().message, HasSubstr("slot.memory_byte: unknown key"));
  EXPECT_EQ(spec.error().hint, "did you mean memory_bytes?");
  EXPECT_THAT(container_spec_from_json(R"({"zzzzzzzzzz":1})").error().hint, "");
}

TEST(SpecNames, UnknownSpellingsAreNone) {
  EXPECT_EQ(isolation_level_from_string("best_effort"), std::nullopt);
  EXPECT_EQ(network_mode_from_string(""), std::nullopt);
  EXPECT_EQ(storage_mode_from_string("Host"), std::nullopt);
}

}  // namespace
}  // namespace berth
