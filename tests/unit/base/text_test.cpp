// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <gmock/gmock.h>
#include <set>

namespace berth {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kFffd = "\xEF\xBF\xBD";

// Text, and the number of U+FFFD that Python 3's errors="replace" makes of its bad parts, with what stays around them.
struct Utf8Vector {
  std::string_view bytes;
  std::vector<std::string_view> replaced;
};

class InvalidUtf8 : public ::testing::TestWithParam<Utf8Vector> {};
TEST_P(InvalidUtf8, IsReplacedPerMaximalPart) {
  std::string expected;
  for (const auto part : GetParam().replaced) expected += part;
  EXPECT_FALSE(is_valid_utf8(GetParam().bytes));
  EXPECT_EQ(to_valid_utf8(GetParam().bytes), expected);
  EXPECT_TRUE(is_valid_utf8(expected));
}
INSTANTIATE_TEST_SUITE_P(
    Known, InvalidUtf8,
    ::testing::Values(
        Utf8Vector{"\x80", {kFffd}}, Utf8Vector{"\xBF\xBF", {kFffd, kFffd}}, Utf8Vector{"\xC0\x80", {kFffd, kFffd}},
        Utf8Vector{"\xC1\xBF", {kFffd, kFffd}}, Utf8Vector{"\xC3", {kFffd}}, Utf8Vector{"a\xC3(", {"a", kFffd, "("}},
        Utf8Vector{"\xE0\x80\x80", {kFffd, kFffd, kFffd}}, Utf8Vector{"\xE0\x9F\xBF", {kFffd, kFffd, kFffd}},
        Utf8Vector{"\xE2\x82", {kFffd}}, Utf8Vector{"\xE2\x82z", {kFffd, "z"}},
        Utf8Vector{"\xE2\x82\xE2\x82\xAC", {kFffd, "\xE2\x82\xAC"}}, Utf8Vector{"\xED\xA0\x80", {kFffd, kFffd, kFffd}},
        Utf8Vector{"\xED\xBF\xBF", {kFffd, kFffd, kFffd}}, Utf8Vector{"\xF0\x80\x80\x80", {kFffd, kFffd, kFffd, kFffd}},
        Utf8Vector{"\xF0\x90\x80", {kFffd}}, Utf8Vector{"\xF0\x9F\x98z", {kFffd, "z"}},
        Utf8Vector{"\xF4\x90\x80\x80", {kFffd, kFffd, kFffd, kFffd}},
        Utf8Vector{"\xF5\x80\x80\x80", {kFffd, kFffd, kFffd, kFffd}}, Utf8Vector{"\xFE\xFF", {kFffd, kFffd}},
        // The Unicode standard's own example (chapter 3, table 3-11).
        Utf8Vector{"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", {kFffd, kFffd, kFffd, kFffd, kFffd, "A", kFffd, kFffd, "B"}},
        Utf8Vector{"0123456789abcdef\xFF", {"0123456789abcdef", kFffd}}));

TEST(Split, KeepsEmptyPartsButNoneAfterTheLastSeparator) {
  EXPECT_THAT(split("a,,b,", ','), testing::ElementsAre("a", "", "b"));
  EXPECT_THAT(split("", ','), testing::IsEmpty());
  EXPECT_THAT(split("one", ','), testing::ElementsAre("one"));
}

TEST(Utf8, KeepsEveryValidLengthAtItsBorders) {
  for (const std::string_view text :
       {"", "plain", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "0123456\xC3\xA9"}) {
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(to_valid_utf8(text), text);
  }
}

TEST(Utf8, CountsCodePointsAndEachInvalidByte) {
  EXPECT_EQ(utf8_length(""), 0U);
  EXPECT_EQ(utf8_length("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), 4U);
  EXPECT_EQ(utf8_length("\xE2\x82"), 2U);
  EXPECT_EQ(utf8_length("0123456789\xFF"), 11U);
  EXPECT_EQ(utf8_length(std::string_view("a\0b", 3)), 3U);
}

TEST(Trim, TakesAsciiSpaceOffBothEndsOnly) {
  EXPECT_EQ(trim(" \t\r\n a b \v\f"), "a b");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\n\n"), "");
  EXPECT_EQ(trim("\xC2\xA0x"), "\xC2\xA0x");
}

TEST(Hex, WritesLowerCasePairs) {
  EXPECT_EQ(to_hex(std::string_view("\x00\x0F\xAB\xFF", 4)), "000fabff");
}

TEST(Base64, AgreesWithTheVectorsOfRfc4648BothWays) {
  const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"},
                                                                 {"\xFB\xFF\xBF", "+/+/"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(base64_encode(plain), coded);
    EXPECT_EQ(base64_decode(coded), plain);
  }
}

TEST(Base64, DecodesOnlyTheOneSpellingOfAValue) {
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Zm8=Zm8=", "Zm 8",
                                      "Zm8\n", "-_-_", "Z===", "Zg==\n", "Zm9v====", "A=AA"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

TEST(Sha256, AgreesWithTheVectorsOfFips180) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(PercentDecode, DecodesEveryByteButNul) {
  EXPECT_EQ(percent_decode("a%2fb%2F%20%ff+~"), "a/b/ \xFF+~");
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("%2e%2e"), "..");
  EXPECT_EQ(percent_decode("%2541"), "%41");  // once, never twice
}

TEST(PercentDecode, RefusesBadEscapesAndNul) {
  for (const std::string_view text : {"%", "%1", "a%", "%g0", "%0g", "%%41", "%-1", "% 1", "%00", "a%00b", "%u0041"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(percent_decode(std::string_view("a\0b", 3)), std::nullopt);
}

TEST(PercentEncode, LeavesUnreservedCharactersOnly) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a/b?c=d&e%\r\n\xC3"), "a%2Fb%3Fc%3Dd%26e%25%0D%0A%C3");
  EXPECT_EQ(percent_encode_path("a b/../c?"), "a%20b/../c%3F");
}

TEST(PercentEncode, IsUndoneByDecodingForEveryByteButNul) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode(percent_encode_path(all)), all);
}

TEST(ParseSize, KnowsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("0B"), 0U);
  EXPECT_EQ(parse_size("10B"), 10U);
  EXPECT_EQ(parse_size("100kB"), 100'000U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("512MiB"), 536'870'912U);
  EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("3GB"), 3'000'000'000U);
  EXPECT_EQ(parse_size("1PiB"), std::uint64_t{1} << 50);
  EXPECT_EQ(parse_size("18446744073709551615B"), ~std::uint64_t{0});
}

class BadSize : public ::testing::TestWithParam<std::string> {};
TEST_P(BadSize, IsRefusedWithAHint) {
  const auto size = parse_size(GetParam());
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().code, "bad_size");
  EXPECT_THAT(size.error().hint, HasSubstr("512MiB"));
}
INSTANTIATE_TEST_SUITE_P(Sizes, BadSize,
                         ::testing::Values("", "512", "0", "MiB", "-1B", "+1B", "1.5GiB", "1e3B", "0x10B", " 1B", "1B ",
                                           "1 B", "1K", "1M", "1mb", "1KB", "1mib", "1GiBs", "1B1B",
                                           "\xD9\xA1"
                                           "B",
                                           "18446744073709551616B", "18446744073709551615kB", "99999999999PiB",
                                           std::string("1\0B", 3)));

TEST(ParseDuration, KnowsItsUnitsAloneAndTogether) {
  EXPECT_DOUBLE_EQ(parse_duration("500ms")->count(), 0.5);
  EXPECT_DOUBLE_EQ(parse_duration("10s")->count(), 10);
  EXPECT_DOUBLE_EQ(parse_duration("5m")->count(), 300);
  EXPECT_DOUBLE_EQ(parse_duration("1h30m")->count(), 5400);
  EXPECT_DOUBLE_EQ(parse_duration("2d")->count(), 172800);
  EXPECT_DOUBLE_EQ(parse_duration("1.5s")->count(), 1.5);
  EXPECT_DOUBLE_EQ(parse_duration("1m1ms")->count(), 60.001);
  EXPECT_DOUBLE_EQ(parse_duration("0s")->count(), 0);
}

class BadDuration : public ::testing::TestWithParam<std::string> {};
TEST_P(BadDuration, IsRefusedWithAHint) {
  const auto duration = parse_duration(GetParam());
  ASSERT_FALSE(duration);
  EXPECT_EQ(duration.error().code, "bad_duration");
  EXPECT_THAT(duration.error().hint, HasSubstr("1h30m"));
}
INSTANTIATE_TEST_SUITE_P(Durations, BadDuration,
                         ::testing::Values("", "10", "0", "s", "-1s", "+1s", "10 s", " 10s", "10s ", "1e3s", "1..5s",
                                           ".5s", "1.s", "1.5", "30m1h", "1s1s", "1h30", "5min", "5M", "1S", "1us",
                                           "infs", "nans", "0x1s", "1s\n", std::string(400, '9') + "d"));

TEST(BadUnits, AreShownShortAndPrintable) {
  const auto size = parse_size(std::string(100'000, '\xFF'));
  ASSERT_FALSE(size);
  EXPECT_LT(size.error().message.size(), 300U);
  EXPECT_TRUE(is_valid_utf8(size.error().message));
}

TEST(RandomHex, GivesDifferentDigitsOfTheAskedLength) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_hex(16));
  EXPECT_EQ(seen.size(), 100U);
  for (const auto& id : seen) {
    EXPECT_EQ(id.size(), 32U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
  }
  EXPECT_EQ(random_hex(0), "");
}

TEST(ExecutionId, TakesThePatternOfTheWire) {
  EXPECT_TRUE(is_execution_id("a"));
  EXPECT_TRUE(is_execution_id("A-z.0_9:x"));
  EXPECT_TRUE(is_execution_id(std::string(128, 'x')));
}

TEST(ExecutionId, RefusesEverythingElse) {
  for (const std::string& text :
       {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a/b"), std::string("a\n"),
        std::string("a\0", 2), std::string("\xC3\xA9"), std::string("a%20"), std::string("\xEF\xBC\x91")}) {
    EXPECT_FALSE(is_execution_id(text)) << text;
  }
}

TEST(NearestWord, FindsATypingError) {
  const std::vector<std::string> keys{"memory", "pids", "disk", "network"};
  EXPECT_EQ(nearest_word("memry", keys), "memory");
  EXPECT_EQ(nearest_word("netwrok", keys), "network");
  EXPECT_EQ(nearest_word("disks", keys), "disk");
  EXPECT_EQ(nearest_word("disk", keys), "disk");
}

TEST(NearestWord, StaysSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_word("containers", {"cpu", "env"}), std::nullopt);
  EXPECT_EQ(nearest_word("xy", {"cpu", "env"}), std::nullopt);
  EXPECT_EQ(nearest_word("", {"cpu"}), std::nullopt);
  EXPECT_EQ(nearest_word("cpu", {}), std::nullopt);
  EXPECT_EQ(nearest_word(std::string(100'000, 'x'), {std::string(100'001, 'x')}), std::nullopt);
}

}  // namespace
}  // namespace berth
