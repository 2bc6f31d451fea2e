// SPDX-License-Identifier: Apache-2.0
#include "agent/api/tokens.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace berth::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kSecret = "a-secret-of-some-length";

http::RequestHead head_with(std::vector<std::string> values) {
  http::RequestHead head;
  for (std::string& value : values) head.fields.emplace_back("authorization", std::move(value));
  return head;
}

Tokens tokens_of(const std::string& text) {
  auto tokens = Tokens::parse(text, "tokens");
  EXPECT_TRUE(tokens.has_value()) << (tokens ? "" : tokens.error().message);
  return tokens.value_or(Tokens());
}

TEST(Tokens, WithoutAFileEverybodyIsAdmin) {
  const Tokens tokens;
  EXPECT_TRUE(tokens.open());
  const auto caller = tokens.caller(http::RequestHead{});
  ASSERT_TRUE(caller.has_value());
  EXPECT_EQ(caller->right, Right::admin);
  EXPECT_EQ(caller->name, "");
}

TEST(Tokens, ALineNamesATokenItsRightAndItsBounds) {
  const Tokens tokens = tokens_of("# a comment\n\nci\t" + std::string(kSecret) + "  use slots=3 calls=70\r\n");
  ASSERT_EQ(tokens.all().size(), 1U);
  const Token& token = tokens.all()[0];
  EXPECT_EQ(token.name, "ci");
  EXPECT_EQ(token.sha256, sha256_hex(kSecret));
  EXPECT_EQ(token.right, Right::use);
  EXPECT_EQ(token.slots, 3U);
  EXPECT_EQ(token.calls, 70U);
}

TEST(Tokens, TheRightThatIsNotNamedIsUse) {
  EXPECT_EQ(tokens_of("ci " + std::string(kSecret)).all()[0].right, Right::use);
}

TEST(Tokens, AFileMayHoldDigestsInsteadOfSecrets) {
  const Tokens tokens = tokens_of("ci sha256:" + sha256_hex(kSecret) + " admin");
  EXPECT_TRUE(tokens.caller(head_with({"Bearer " + std::string(kSecret)})).has_value());
  EXPECT_FALSE(tokens.caller(head_with({"Bearer sha256:" + sha256_hex(kSecret)})).has_value());
}

TEST(Tokens, TheCallerIsWhoHasTheSecret) {
  const Tokens tokens = tokens_of("one the-first-secret-of-all read\ntwo " + std::string(kSecret) + " admin\n");
  const auto caller = tokens.caller(head_with({"Bearer " + std::string(kSecret)}));
  ASSERT_TRUE(caller.has_value());
  EXPECT_EQ(caller->name, "two");
  EXPECT_EQ(caller->right, Right::admin);
}

class NoToken : public ::testing::TestWithParam<std::string> {};

TEST_P(NoToken, IsNobody) {
  const Tokens tokens = tokens_of("ci " + std::string(kSecret));
  EXPECT_FALSE(tokens.caller(head_with({GetParam()})).has_value());
}

INSTANTIATE_TEST_SUITE_P(Values, NoToken,
                         ::testing::Values("", "Bearer", "Bearer ", "bearer", "Bearer wrong-secret-of-length",
                                           "Bearer a-secret-of-some-lengt", "Bearer a-secret-of-some-length2",
                                           "Basic a-secret-of-some-length", "a-secret-of-some-length",
                                           "Bearer A-SECRET-OF-SOME-LENGTH", "Bearer ci",
                                           "Bearer " + std::string(1 << 20, 'a')));

TEST(Tokens, OfTwoFieldsNeitherCounts) {
  const Tokens tokens = tokens_of("ci " + std::string(kSecret));
  const std::string good = "Bearer " + std::string(kSecret);
  EXPECT_FALSE(tokens.caller(head_with({good, "Bearer wrong"})).has_value());
  EXPECT_FALSE(tokens.caller(head_with({good, good})).has_value());
  EXPECT_FALSE(tokens.caller(head_with({})).has_value());
}

TEST(Tokens, EveryComplaintIsToldWithItsLineAndWithoutTheSecret) {
  const auto bad = Tokens::parse(
      "short tiny\nname with/slash-secret-0123456789 own\nalone\nci visible-secret-0123456789 slots=0\n"
      "a visible-secret-0123456789\na other-secret-01234567890\nb visible-secret-0123456789\nd sha256:12\n",
      "file");
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, "bad_tokens");
  for (const char* line : {"file:1: ", "file:2: ", "file:3: ", "file:4: ", "file:6: ", "file:7: ", "file:8: "})
    EXPECT_THAT(bad.error().message, HasSubstr(line));
  EXPECT_THAT(bad.error().message, Not(HasSubstr("visible-secret")));
}

TEST(Tokens, AFileWithoutATokenIsRefused) {
  EXPECT_FALSE(Tokens::parse("# nothing\n", "file").has_value());
  EXPECT_FALSE(Tokens::parse("", "file").has_value());
  EXPECT_FALSE(Tokens::parse(std::string(2 << 20, '#'), "file").has_value());
}

TEST(Caller, RightsIncludeThoseBeforeThem) {
  const auto with = [](Right right) { return Caller{"me", right, {}, {}}; };
  EXPECT_TRUE(with(Right::admin).may(Right::use));
  EXPECT_FALSE(with(Right::read).may(Right::use));
  EXPECT_TRUE(with(Right::read).sees("other"));
  EXPECT_FALSE(with(Right::read).may_use("me"));
  EXPECT_FALSE(with(Right::use).sees("other"));
  EXPECT_TRUE(with(Right::use).may_use("me"));
  EXPECT_FALSE(with(Right::use).may_use("other"));
  EXPECT_TRUE(with(Right::admin).may_use("other"));
}

}  // namespace
}  // namespace berth::agent
