// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "slotd/execution.hpp"
#include "slotd/metadata.hpp"

namespace berth::slotd {
namespace {

TEST(ResultJson, HasTheFiveKeysAndNoOther) {
  const auto value = Json::parse(result_json(Finished{true, "out\n", "", R"({"cause":"exit"})"}, "\"e1\"", false));
  EXPECT_EQ(value.size(), 5U);
  EXPECT_EQ(value["success"], true);
  EXPECT_EQ(value["output"], "out\n");
  EXPECT_EQ(value["execution_id"], "e1");
  EXPECT_EQ(value["metadata"]["cause"], "exit");
}

TEST(ResultJson, AReplayIsMarked) {
  EXPECT_EQ(Json::parse(result_json(Finished{}, "null", true))["metadata"]["replayed"], true);
  EXPECT_EQ(Json::parse(result_json(Finished{false, "", "", R"({"a":1})"}, "null", true))["metadata"].size(), 2U);
}

TEST(ResultJson, AnyBytesMakeValidJson) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  EXPECT_TRUE(Json::accept(result_json(Finished{false, bytes, bytes, "{}"}, "null", false)));
}

TEST(ErrorJson, HasTwoKeysUnlessACodeIsGiven) {
  EXPECT_EQ(Json::parse(error_json("Invalid JSON")).size(), 2U);
  EXPECT_EQ(Json::parse(error_json("x", "ledger_full"))["code"], "ledger_full");
}

TEST(Metadata, WritesWhatJsonReads) {
  Metadata metadata;
  metadata.text("a", "q\"\n")
      .integer("b", -5)
      .integer_or_null("c", std::nullopt)
      .boolean("d", true)
      .milliseconds("e", 1.5)
      .json("f", "[1]");
  const auto value = Json::parse(metadata.str());
  EXPECT_EQ(value["a"], "q\"\n");
  EXPECT_EQ(value["b"], -5);
  EXPECT_TRUE(value["c"].is_null());
  EXPECT_EQ(value["e"], 1.5);
  EXPECT_EQ(value["f"][0], 1);
}

}  // namespace
}  // namespace berth::slotd
