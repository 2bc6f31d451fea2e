// SPDX-License-Identifier: Apache-2.0
#include "agent/link/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::agent {
namespace {

using ::testing::HasSubstr;

TEST(Wire, ACallCarriesItsArgumentsAsTheTextTheyAre) {
  Call call;
  call.slot = "slot_3";
  call.execution_id = "e1";
  call.tool = "bash";
  call.args = R"({"z": 1, "a":[ 2 ]})";
  call.generation = 7;
  call.env = {{"A", "b\"c"}};
  call.limits.pids = 5;
  const std::string text = encode_call(call);
  EXPECT_THAT(text, HasSubstr(R"("args":{"z": 1, "a":[ 2 ]})"));
  const auto parsed = parse_json(text);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->at("slot_id"), "slot_3");
  EXPECT_EQ(parsed->at("generation"), 7);
  EXPECT_EQ(parsed->at("env").at("A"), "b\"c");
  EXPECT_EQ(parsed->at("limits").at("pids"), 5);
  EXPECT_EQ(parsed->at("timeout"), 30);
}

TEST(Wire, WholeSecondsHaveNoFraction) {
  Call call;
  EXPECT_THAT(encode_call(call), HasSubstr("\"timeout\":30,"));
  call.timeout = Seconds(0.5);
  EXPECT_THAT(encode_call(call), HasSubstr("\"timeout\":0.5,"));
}

TEST(Wire, ReadsEachKindOfLine) {
  const auto result = parse_line(
      R"({"type":"result","index":2,"success":true,"output":"o","error":"","execution_id":"e","metadata":{"cause":"exit"}})");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::get<ResultLine>(*result).index, 2U);
  EXPECT_EQ(std::get<ResultLine>(*result).result.metadata, R"({"cause":"exit"})");
  const auto output =
      parse_line(R"({"type":"output","execution_id":"e","stream":"stdout","offset":5,"base64":"/w=="})");
  ASSERT_TRUE(output.has_value());
  EXPECT_EQ(std::get<OutputLine>(*output).bytes, "\xff");
  EXPECT_TRUE(std::holds_alternative<PingLine>(*parse_line(R"({"type":"ping"})")));
  EXPECT_EQ(std::get<EndLine>(*parse_line(R"({"type":"end","results":3})")).results, 3U);
}

class BadLine : public ::testing::TestWithParam<std::string> {};

TEST_P(BadLine, IsAProtocolError) {
  const auto line = parse_line(GetParam());
  ASSERT_FALSE(line.has_value());
  EXPECT_EQ(line.error().code, "protocol");
}

INSTANTIATE_TEST_SUITE_P(
    Lines, BadLine,
    ::testing::Values(
        "", "null", "[]", "{}", "{\"type\":1}", "{\"type\":\"end\"}", "{\"type\":\"end\",\"results\":-1}",
        R"({"type":"result","index":1e300,"success":true,"output":"","error":"","execution_id":"e","metadata":{}})",
        R"({"type":"result","index":0,"success":1,"output":"","error":"","execution_id":"e","metadata":{}})",
        R"({"type":"result","index":0,"success":true,"output":"","error":"","execution_id":7,"metadata":{}})",
        R"({"type":"result","index":0,"success":true,"output":"","error":"","execution_id":"e","metadata":[]})",
        R"({"type":"output","execution_id":"e","stream":"nowhere","offset":0,"text":""})",
        R"({"type":"output","execution_id":"e","stream":"stdout","offset":0,"base64":"***"})",
        R"({"type":"ping","type":"end"})"));

TEST(Wire, ErrorsKeepTheirWordsWhateverTheirForm) {
  EXPECT_EQ(error_of_answer(409, R"({"error":{"code":"wrong_boot","message":"m","hint":"h"}})").code, "wrong_boot");
  EXPECT_EQ(error_of_answer(400, R"({"success":false,"error":"Invalid JSON"})").message, "Invalid JSON");
  EXPECT_EQ(error_of_answer(502, "bad gateway").code, "status_502");
}

TEST(Wire, AResetThatFailedIsNeverTakenForASuccess) {
  EXPECT_FALSE(error_of_reset(R"({"success":true})").has_value());
  EXPECT_TRUE(error_of_reset(R"({"success":false,"error":"busy"})").has_value());
  EXPECT_TRUE(error_of_reset(R"({"success":"true"})").has_value());
  EXPECT_TRUE(error_of_reset("").has_value());
}

}  // namespace
}  // namespace berth::agent
