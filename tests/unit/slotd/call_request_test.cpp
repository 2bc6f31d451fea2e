// SPDX-License-Identifier: Apache-2.0
#include "slotd/call_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace berth::slotd {
namespace {

using testing::HasSubstr;

tl::expected<CallRequest, Refusal> parse(const std::string& text) {
  return parse_call_request(text, 3600);
}

std::string with(const std::string& member) {
  return R"({"slot_id":"slot_0","tool":"bash","args":{},)" + member + "}";
}

TEST(CallRequest, DefaultsAreThoseOfTheProtocol) {
  const auto call = parse("{}");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->slot, "");
  EXPECT_EQ(call->tool, "");
  EXPECT_EQ(call->timeout, Seconds(30));
  EXPECT_EQ(call->timeout_text, "30.0");
  EXPECT_EQ(call->id_json, "null");
  EXPECT_FALSE(call->id_given);
  EXPECT_TRUE(call->args->is_object());
}

TEST(CallRequest, WhatIsNotAnObjectGetsTwoKeys) {
  for (const char* text : {"", "nope", "[1]", "\"x\"", "3", "{\"a\":1} x", "{\"a\":1,\"a\":2}"}) {
    const auto call = parse(text);
    ASSERT_FALSE(call) << text;
    EXPECT_FALSE(call.error().five_keys) << text;
    EXPECT_EQ(call.error().status, 400) << text;
  }
}

TEST(CallRequest, AnIdOfAnotherTypeIsEchoedAsItCameAndRunsEveryTime) {
  for (const char* id : {"null", "7", "[1,2]", "{\"a\":1}", "true"}) {
    const auto call = parse(with(std::string(R"("execution_id":)") + id));
    ASSERT_TRUE(call) << id;
    EXPECT_EQ(call->id_json, id);
    EXPECT_FALSE(call->id_given);
    EXPECT_FALSE(call->id.empty());
  }
}

TEST(CallRequest, AStringIdOutsideThePatternIsRefusedByName) {
  const std::vector<std::string> ids{"", "a b", "a/b", "\\u00e9", std::string(129, 'a')};
  for (const auto& id : ids) {
    const auto call = parse(with(R"("execution_id":")" + id + "\""));
    ASSERT_FALSE(call) << id;
    EXPECT_THAT(call.error().error, HasSubstr("[A-Za-z0-9._:-]{1,128}"));
    EXPECT_EQ(call.error().status, 400);
  }
}

TEST(CallRequest, ATimeLimitIsANumberAboveZeroAndAtMostTheMaximum) {
  for (const char* bad : {"0", "-1", "null", "\"5\"", "3601", "1e18", "true", "[]"}) {
    EXPECT_FALSE(parse(with(std::string(R"("timeout":)") + bad))) << bad;
  }
  for (const char* good : {"0.001", "1", "3600", "30.0"}) {
    const auto call = parse(with(std::string(R"("timeout":)") + good));
    ASSERT_TRUE(call) << good;
    EXPECT_EQ(call->timeout_text, good);
  }
}

TEST(CallRequest, ArgsAreAnObject) {
  for (const char* bad : {"null", "[]", "\"x\"", "1"}) {
    const auto call = parse(std::string(R"({"slot_id":"slot_0","tool":"bash","args":)") + bad + "}");
    ASSERT_FALSE(call) << bad;
    EXPECT_TRUE(call.error().five_keys);
  }
}

TEST(CallRequest, ARefusalEchoesTheId) {
  const auto call = parse(R"({"execution_id":"e1","timeout":-1})");
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().id_json, "\"e1\"");
}

TEST(CallRequest, EnvironmentNamesAndValuesAreChecked) {
  for (const char* bad : {R"({"A=B":"x"})", R"({"":"x"})", R"({"A":1})", R"(["A"])", "{\"A\":\"x\\u0000y\"}"}) {
    EXPECT_FALSE(parse(with(std::string(R"("env":)") + bad))) << bad;
  }
  const auto call = parse(with(R"("env":{"A":"b=c"})"));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->env.at("A"), "b=c");
}

TEST(CallRequest, LimitsAreChecked) {
  for (const char* bad :
       {R"({"memory":0})", R"({"memory":"64"})", R"({"pids":0})", R"({"cpu_seconds":-1})", R"({"disk":1})", "[]"}) {
    EXPECT_FALSE(parse(with(std::string(R"("limits":)") + bad))) << bad;
  }
  const auto call = parse(with(R"("limits":{"memory":"64MiB","pids":5,"cpu_seconds":0.5})"));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->limits.memory_bytes, std::uint64_t{64} << 20);
  EXPECT_EQ(call->limits.pids, 5U);
}

TEST(CallRequest, GenerationsAreWholeNumbers) {
  for (const char* bad : {"-1", "1.5", "\"1\"", "1e300"})
    EXPECT_FALSE(parse(with(std::string(R"("generation":)") + bad))) << bad;
  EXPECT_EQ(parse(with(R"("generation":7)"))->generation, 7U);
}

TEST(CallRequest, TheDigestTellsContentNotOrderSlotOrGeneration) {
  const auto one =
      parse(R"({"execution_id":"a","tool":"bash","args":{"x":1,"y":2},"slot_id":"slot_0","generation":1})");
  const auto same =
      parse(R"({"generation":2,"slot_id":"slot_1","args":{"y":2,"x":1},"tool":"bash","execution_id":"b"})");
  const auto other = parse(R"({"execution_id":"a","tool":"bash","args":{"x":1,"y":3},"slot_id":"slot_0"})");
  const auto longer =
      parse(R"({"execution_id":"a","tool":"bash","args":{"x":1,"y":2},"slot_id":"slot_0","timeout":5})");
  EXPECT_EQ(one->digest, same->digest);
  EXPECT_NE(one->digest, other->digest);
  EXPECT_NE(one->digest, longer->digest);
}

}  // namespace
}  // namespace berth::slotd
