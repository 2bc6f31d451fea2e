// SPDX-License-Identifier: Apache-2.0
// Two readers of one language agree: ours, and the one of the library that holds our values.
#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <random>

#include "base/json.hpp"

namespace berth {
namespace {

constexpr int kTexts = 30'000;
constexpr unsigned kSeed = 20261122;
constexpr const char* kPieces[] = {"{",
                                   "}",
                                   "[",
                                   "]",
                                   ",",
                                   ":",
                                   "\"",
                                   "\"a\"",
                                   "\"b\":",
                                   "\"\\u00e9\"",
                                   "\"\\ud83d\\ude00\"",
                                   "\"\\ud83d\"",
                                   "\"\\udc00\"",
                                   "\"\\/\\b\\f\"",
                                   "\"\\q\"",
                                   "\"\xC3\xA9\"",
                                   "\"\xC3\"",
                                   "\"\x1F\"",
                                   "\"\x7F\"",
                                   "0",
                                   "-0",
                                   "-0.0",
                                   "1",
                                   "-1",
                                   "01",
                                   "2147483648",
                                   "-2147483649",
                                   "9007199254740993",
                                   "18446744073709551615",
                                   "18446744073709551616",
                                   "9223372036854775808",
                                   "-9223372036854775808",
                                   "-9223372036854775809",
                                   "0.1",
                                   "1.",
                                   "1e5",
                                   "1E-7",
                                   "1e308",
                                   "1e309",
                                   "4.9e-324",
                                   "1e-400",
                                   "2.2250738585072011e-308",
                                   "123456789012345678901234567890.5e-10",
                                   "true",
                                   "false",
                                   "null",
                                   "nul",
                                   " ",
                                   "\n",
                                   "\t",
                                   "\r",
                                   "\v",
                                   "\xC2\xA0",
                                   "/",
                                   "x"};

// Pieces at random, within brackets more often than not, so that many are whole.
std::string text_of(std::mt19937& random) {
  constexpr std::string_view kOpen[] = {"", "[", "{\"k\":", "[[1,", "{\"k\":{\"l\":"};
  constexpr std::string_view kClose[] = {"", "]", "}", "]]", "}}"};
  const auto shape = random() % std::size(kOpen);
  std::string text(kOpen[shape]);
  for (auto left = random() % 4; left > 0; --left) text += kPieces[random() % std::size(kPieces)];
  text += kPieces[random() % std::size(kPieces)];
  return text + std::string(kClose[shape]);
}

bool names_a_key_twice(std::string_view text) {
  const auto parsed = parse_json(text);
  return !parsed && parsed.error().code == "json_duplicate_key";
}

TEST(JsonReaders, AcceptTheSameTextsAndReadTheSameValues) {
  std::mt19937 random(kSeed);
  int accepted = 0;
  for (int i = 0; i < kTexts; ++i) {
    const std::string text = text_of(random);
    const auto ours = parse_json(text);
    const auto theirs = Json::parse(text, nullptr, false);
    if (names_a_key_twice(text)) continue;  // ours alone refuses it
    ASSERT_EQ(ours.has_value(), !theirs.is_discarded()) << text;
    if (!ours) continue;
    ++accepted;
    ASSERT_EQ(*ours, theirs) << text;
    ASSERT_EQ(ours->dump(), theirs.dump()) << text;
  }
  EXPECT_GT(accepted, kTexts / 10);
}

TEST(JsonReaders, ReadNumbersToTheLastBit) {
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < kTexts; ++i) {
    const auto bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    const auto text = Json(number).dump();
    ASSERT_EQ(parse_json(text).value(), Json::parse(text)) << text;
  }
}

TEST(JsonReaders, ReadStringsOfEveryLengthWherePiecesOfSixteenBytesEnd) {
  for (std::size_t size = 0; size < 70; ++size) {
    for (const char* last : {"", "\\n", "\\u00e9", "\xC3\xA9"}) {
      const std::string text = "[\"" + std::string(size, 'x') + last + "\",\"" + last + std::string(size, 'y') + "\"]";
      ASSERT_EQ(parse_json(text).value(), Json::parse(text)) << text;
    }
  }
}

}  // namespace
}  // namespace berth
