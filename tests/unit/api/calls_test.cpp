// SPDX-License-Identifier: Apache-2.0
// Calls as they come over HTTP: their text, their bounds, what is told of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/api/call_book.hpp"
#include "agent/api/call_set.hpp"
#include "agent/api/routes.hpp"
#include "tests/support/loop.hpp"

namespace berth::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimePoint kStart{};

Result result_of(const std::string& output) {
  return {true, output, "", "id", "{\"cause\":\"exit\"}"};
}

TEST(CallBook, BoundsCallsOfAToken) {
  CallBook book;
  const Caller caller{"few", Right::use, {}, 2};
  auto first = book.admit(caller, 10);
  const auto second = book.admit(caller, 10);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(book.admit(caller, 10).error().code, "too_many_calls");
  EXPECT_TRUE(book.admit(Caller{"other", Right::use, {}, 2}, 10).has_value());
  first = fail("gone", "");
  EXPECT_TRUE(book.admit(caller, 10).has_value());
}

TEST(CallBook, BoundsTheBytesAndTheNumberOfAll) {
  CallBook book({.bytes = 100, .calls = 2});
  const Caller admin;
  EXPECT_EQ(book.admit(admin, 101).error().code, "busy");
  const auto first = book.admit(admin, 60);
  EXPECT_EQ(book.admit(admin, 60).error().code, "busy");
  const auto second = book.admit(admin, 40);
  EXPECT_TRUE(second.has_value());
  EXPECT_EQ(book.admit(admin, 0).error().code, "busy");
  EXPECT_EQ(book.bytes(), 100U);
  EXPECT_EQ(book.under_way(), 2U);
}

TEST(CallBook, KeepsResultsForATimeAndForgetsTheOldestFirst) {
  CallBook book({.kept_bytes = 3000, .kept_for = std::chrono::minutes(10)});
  for (const char* id : {"a", "b", "c"})
    book.close(book.open("lease", id), result_of(std::string(1000, 'x')), true, kStart);
  EXPECT_EQ(book.find("lease", "a", kStart), nullptr);
  ASSERT_NE(book.find("lease", "c", kStart), nullptr);
  EXPECT_EQ(book.find("other", "c", kStart), nullptr);
  EXPECT_NE(book.find("lease", "c", kStart + std::chrono::minutes(10)), nullptr);
  EXPECT_EQ(book.find("lease", "c", kStart + std::chrono::minutes(11)), nullptr);
  EXPECT_EQ(book.kept_bytes(), 0U);
}

TEST(CallBook, TheSameIdSharesOneRecordWhileItRuns) {
  CallBook book;
  const auto first = book.open("lease", "id");
  EXPECT_EQ(book.open("lease", "id"), first);
  book.close(first, result_of("one"), true, kStart);
  book.close(first, result_of("two"), true, kStart);
  EXPECT_EQ(book.find("lease", "id", kStart)->result->output, "one");
  const auto again = book.open("lease", "id");
  EXPECT_NE(again, first);
  book.close(again, std::nullopt, true, kStart);
  EXPECT_EQ(book.find("lease", "id", kStart), nullptr);
  EXPECT_EQ(book.kept_bytes(), 0U);
}

class CallSetTest : public ::testing::Test {
 protected:
  std::shared_ptr<CallSet> make(std::size_t size, CallSet::Telling telling) {
    return std::make_shared<CallSet>(loop.context, size, telling);
  }
  testing::Loop loop;
};

TEST_F(CallSetTest, TellsLinesInTheOrderInWhichTheyCame) {
  const auto set = make(2, CallSet::Telling::all_lines);
  set->started(1, "slot_3", "b");
  set->put_out({"b", "stdout", 5, "text"});
  set->put_out({"b", "stderr", 0, "\xff"});
  set->answered(1, result_of("text"), "b");
  EXPECT_FALSE(set->done());
  set->answered(0, fail("queue_full", "no room"), "a");
  EXPECT_TRUE(set->done());
  const std::string lines = set->take_lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 5);
  EXPECT_THAT(lines, HasSubstr(R"({"type": "start", "execution_id": "b", "slot_id": "slot_3", "index": 1})"));
  EXPECT_THAT(lines, HasSubstr(R"("offset": 5, "text": "text"})"));
  EXPECT_THAT(lines, HasSubstr(R"("offset": 0, "base64": "/w=="})"));
  EXPECT_THAT(lines, HasSubstr(R"({"type": "result", "index": 0, "success": false)"));
  EXPECT_THAT(lines, HasSubstr("queue_full"));
  EXPECT_TRUE(set->take_lines().empty());
}

TEST_F(CallSetTest, ASlowReaderLosesOutputNeverAResult) {
  const auto set = make(1, CallSet::Telling::all_lines);
  const std::string piece(100'000, 'x');
  for (std::uint64_t offset = 0; offset < 50 * piece.size(); offset += piece.size())
    set->put_out({"id", "stdout", offset, piece});
  set->answered(0, result_of("the end"), "id");
  const std::string lines = set->take_lines();
  EXPECT_LT(lines.size(), 2 * CallSet::kMostUntold);
  EXPECT_THAT(lines, HasSubstr("the end"));
}

TEST_F(CallSetTest, OutputsBeyondTheBoundAreWithheldAndSaySo) {
  const std::string large(CallSet::kMostHeld / 4, 'x');
  for (const auto telling : {CallSet::Telling::results, CallSet::Telling::result_lines}) {
    const auto set = make(8, telling);
    for (std::size_t i = 0; i < 8; ++i) set->answered(i, result_of(large), "id");
    EXPECT_TRUE(set->done());
    const std::string lines = set->take_lines();
    EXPECT_LT(lines.size(), CallSet::kMostHeld + 10'000);
    if (telling == CallSet::Telling::result_lines) {
      EXPECT_THAT(lines, HasSubstr("withheld"));
      continue;
    }
    EXPECT_EQ((*set->answer(0))->output, large);
    EXPECT_EQ((*set->answer(7))->output, "");
    EXPECT_EQ((*set->answer(7))->metadata, R"({"withheld":true,"cause":"exit"})");
    EXPECT_TRUE((*set->answer(7))->success);
  }
}

TEST_F(CallSetTest, NothingIsKeptForACallerWhoLeft) {
  const auto set = make(1, CallSet::Telling::single);
  set->leave();
  set->put_out({"id", "stdout", 0, "x"});
  set->answered(0, result_of(std::string(1000, 'x')), "id");
  EXPECT_TRUE(set->done());
  EXPECT_TRUE(set->take_lines().empty());
  EXPECT_TRUE((*set->answer(0))->output.empty());
}

TEST(WantedCall, ReadsWhatIsThere) {
  const auto call = parse_wanted_call(
      R"({"tool":"bash","args":{"b":1,"a":[2]},"timeout":1.5,"env":{"A":"1"},"limits":{"memory":"64MiB","pids":3},"execution_id":"x"})",
      false);
  ASSERT_TRUE(call.has_value()) << call.error().message;
  EXPECT_EQ(call->call.args, R"({"a":[2],"b":1})");
  EXPECT_EQ(call->call.timeout, Seconds(1.5));
  EXPECT_EQ(call->call.limits.memory_bytes, std::uint64_t{64} << 20);
  EXPECT_EQ(call->call.execution_id, "x");
  EXPECT_FALSE(parse_wanted_call(R"({"tool":"bash"})", true).has_value());
  EXPECT_FALSE(parse_wanted_call(R"({"tool":"bash","lease":"l"})", false).has_value());
  EXPECT_EQ(parse_wanted_call(R"({"tool":"bash","lease":"l"})", true)->lease, "l");
}

TEST(Refusals, OnlyWhatWasRefusedAsARequestIsOne) {
  Result result{false, "", "used", "id", R"({"cause":"rejected","code":"execution_id_reused","started":false})"};
  EXPECT_EQ(refusal_of(result)->code, "execution_id_reused");
  result.metadata = R"({"cause":"rejected","started":false})";
  EXPECT_FALSE(refusal_of(result).has_value());
  result.metadata = R"({"cause":"exit","code":"queue_full"})";
  EXPECT_FALSE(refusal_of(result).has_value());
  result.metadata = "not JSON \"code\"";
  EXPECT_FALSE(refusal_of(result).has_value());
}

TEST(Paths, MatchTheirPatternsWholeAndDecoded) {
  EXPECT_THAT(*match_path("/v1/jobs", "/v1/jobs"), ElementsAre());
  EXPECT_THAT(*match_path("/v1/leases/{lease}/files/{path...}", "/v1/leases/l/files/a/b%20c"),
              ElementsAre("l", "a/b c"));
  EXPECT_THAT(*match_path("/v1/leases/{lease}/files/{path...}", "/v1/leases/l/files/"), ElementsAre("l", ""));
  EXPECT_THAT(*match_path("/v1/leases/{lease}", "/v1/leases/a%2Fb"), ElementsAre("a/b"));
  for (const char* path : {"/v1/jobs/", "/v1/job", "/v1/jobs/x", "/v1", "/", "//v1/jobs"})
    EXPECT_FALSE(match_path("/v1/jobs", path).has_value()) << path;
  for (const char* path : {"/v1/leases/", "/v1/leases", "/v1/leases/a/b", "/v1/leases/%zz", "/v1/leases/%00"})
    EXPECT_FALSE(match_path("/v1/leases/{lease}", path).has_value()) << path;
}

}  // namespace
}  // namespace berth::agent
