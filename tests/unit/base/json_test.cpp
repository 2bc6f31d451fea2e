// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>
#include <nlohmann/json.hpp>

namespace berth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kDeep = 100'000;  // the depth at which the library itself crashes

std::string code_of(std::string_view text, const JsonBounds& bounds = {}) {
  const auto parsed = parse_json(text, bounds);
  return parsed ? "" : parsed.error().code;
}

std::string repeat(std::string_view part, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += part;
  return out;
}

TEST(ParseJson, BuildsEveryKindOfValue) {
  const auto parsed = parse_json(R"( {"a":[1,-2,3.5,true,false,null,"x\u00e9"],"b":{"c":{}}} )");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(dump_json(*parsed), "{\"a\":[1,-2,3.5,true,false,null,\"x\xC3\xA9\"],\"b\":{\"c\":{}}}");
}

TEST(ParseJson, KeepsEqualKeysOfDifferentObjectsAndNestedOrder) {
  const auto parsed = parse_json(R"([{"a":{"a":1}},{"a":[{"a":2}]}])");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(dump_json(*parsed), R"([{"a":{"a":1}},{"a":[{"a":2}]}])");
}

TEST(ParseJson, AcceptsTheDeepestAllowedAndRefusesOneMore) {
  const JsonBounds bounds{.max_depth = 5};
  EXPECT_EQ(code_of("[[[[[1]]]]]", bounds), "");
  EXPECT_EQ(code_of("[[[[[[1]]]]]]", bounds), "json_too_deep");
  EXPECT_EQ(code_of(R"({"a":{"a":{"a":{"a":{"a":{}}}}}})", bounds), "json_too_deep");
}

TEST(ParseJson, RefusesATextThatWouldCrashTheLibrary) {
  EXPECT_EQ(code_of(repeat("[", kDeep) + repeat("]", kDeep)), "json_too_deep");
  EXPECT_EQ(code_of(repeat(R"({"a":)", kDeep) + "1" + repeat("}", kDeep)), "json_too_deep");
  EXPECT_EQ(code_of(repeat("[", kDeep)), "json_too_deep");
}

TEST(ParseJson, CountsValuesOfAllKindsButNotKeys) {
  const JsonBounds bounds{.max_values = 4};
  EXPECT_EQ(code_of(R"({"a":1,"b":2,"c":3})", bounds), "");
  EXPECT_EQ(code_of("[1,2,3]", bounds), "");
  EXPECT_EQ(code_of("[1,2,3,4]", bounds), "json_too_large");
  EXPECT_EQ(code_of("[[],[],[],[]]", bounds), "json_too_large");
}

TEST(ParseJson, RefusesMoreBytesThanAllowedBeforeReadingThem) {
  const JsonBounds bounds{.max_bytes = 4};
  EXPECT_EQ(code_of("1234", bounds), "");
  EXPECT_EQ(code_of("12345", bounds), "json_too_large");
  EXPECT_EQ(code_of("((((((", bounds), "json_too_large");
}

TEST(ParseJson, RefusesARepeatedKeyWhereverItStands) {
  EXPECT_EQ(code_of(R"({"a":1,"a":2})"), "json_duplicate_key");
  EXPECT_EQ(code_of(R"({"a":1,"b":[{"c":1,"c":1}]})"), "json_duplicate_key");
  EXPECT_EQ(code_of(R"({"a":1,"\u0061":2})"), "json_duplicate_key");
  EXPECT_EQ(code_of(R"({"":1,"":2})"), "json_duplicate_key");
}

TEST(ParseJson, ShowsOnlyTheBeginningOfARepeatedKey) {
  const std::string key(100'000, 'k');
  const auto parsed = parse_json("{\"" + key + "\":1,\"" + key + "\":2}");
  ASSERT_FALSE(parsed);
  EXPECT_LT(parsed.error().message.size(), 200U);
}

TEST(ParseJson, DoesNotRepeatTheCallersTextInAnError) {
  const auto parsed = parse_json("[\"" + std::string(100'000, 's') + "\" 1]");
  ASSERT_FALSE(parsed);
  EXPECT_LT(parsed.error().message.size(), 300U);
  EXPECT_THAT(parsed.error().message, HasSubstr("byte "));
  EXPECT_THAT(parsed.error().message, Not(HasSubstr("ssss")));
}

class RefusedJson : public ::testing::TestWithParam<std::string> {};
TEST_P(RefusedJson, IsASyntaxError) {
  EXPECT_EQ(code_of(GetParam()), "json_syntax");
}
INSTANTIATE_TEST_SUITE_P(Syntax, RefusedJson,
                         ::testing::Values("", " ", "{", "[1", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{a:1}",
                                           "{'a':1}", "01", "+1", ".5", "1.", "1e", "0x1", "--1", "tru", "TRUE", "nul",
                                           "\"", "\"\\x\"", "\"\\u12\"", "// c\n1", "/* c */1"));
INSTANTIATE_TEST_SUITE_P(TrailingText, RefusedJson,
                         ::testing::Values("1 2", "{}{}", "[]]", "{}x", "1,", "\"a\"\"b\"", "null\xC2\xA0",
                                           std::string("1\0", 2), std::string("{}\0{}", 5),
                                           std::string("[1]\0garbage", 11)));
INSTANTIATE_TEST_SUITE_P(Numbers, RefusedJson,
                         ::testing::Values("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[1e400]", "inf"));
INSTANTIATE_TEST_SUITE_P(Encoding, RefusedJson,
                         ::testing::Values("\"\xFF\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"",
                                           "\"\xF4\x90\x80\x80\"", "\"\xE2\x82\"", "\xEF\xBB\xBF{}", "{\"\xFF\":1}",
                                           "\"\n\"", "\"\t\"", "\"\x01\"", std::string("\"\0\"", 3)));
INSTANTIATE_TEST_SUITE_P(LoneSurrogates, RefusedJson,
                         ::testing::Values(R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\ud800")",
                                           R"("\ud800\u0041")", R"({"\udfff":1})"));

TEST(ParseJson, JoinsASurrogatePair) {
  const auto parsed = parse_json(R"("\ud83d\ude00")");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, "\xF0\x9F\x98\x80");
}

TEST(ParseJson, TakesAnEscapedNul) {
  EXPECT_EQ(parse_json(R"("a\u0000b")").value(), std::string("a\0b", 3));
}

TEST(SplitJsonArray, GivesEachElementsText) {
  const std::string text = " [ 1 , {\"a\":[1,2],\"b\":\"],}\"}, \"x\\\"],[\" ,[[],[]]\n] ";
  EXPECT_THAT(split_json_array(text, 10).value(),
              ElementsAre("1", R"({"a":[1,2],"b":"],}"})", R"("x\"],[")", "[[],[]]"));
}

TEST(SplitJsonArray, TakesAnEmptyArray) {
  EXPECT_THAT(split_json_array("[]", 0).value(), IsEmpty());
  EXPECT_THAT(split_json_array(" [ \n ] ", 0).value(), IsEmpty());
}

TEST(SplitJsonArray, LeavesABadElementToItsOwnParser) {
  const auto parts = split_json_array(R"([1, {"a" 1}, nonsense, 2])", 10);
  ASSERT_TRUE(parts);
  EXPECT_THAT(*parts, ElementsAre("1", R"({"a" 1})", "nonsense", "2"));
  EXPECT_FALSE(parse_json((*parts)[1]));
}

TEST(SplitJsonArray, CountsElementsBeforeItKeepsThem) {
  EXPECT_TRUE(split_json_array("[1,2,3]", 3));
  EXPECT_EQ(split_json_array("[1,2,3,4]", 3).error().code, "json_too_large");
  EXPECT_EQ(split_json_array("[1]", 0).error().code, "json_too_large");
}

TEST(SplitJsonArray, SurvivesADeepElement) {
  const std::string deep = repeat("[", kDeep) + repeat("]", kDeep);
  EXPECT_THAT(split_json_array("[" + deep + "]", 10).value(), ElementsAre(deep));
}

class NotAnArray : public ::testing::TestWithParam<std::string> {};
TEST_P(NotAnArray, IsRefused) {
  EXPECT_EQ(split_json_array(GetParam(), 10).error().code, "json_not_array");
}
INSTANTIATE_TEST_SUITE_P(Split, NotAnArray, ::testing::Values("", " ", "{}", "1", "\"[]\"", "x[1]", "]"));

class BrokenArray : public ::testing::TestWithParam<std::string> {};
TEST_P(BrokenArray, IsASyntaxError) {
  EXPECT_EQ(split_json_array(GetParam(), 10).error().code, "json_syntax");
}
INSTANTIATE_TEST_SUITE_P(Split, BrokenArray,
                         ::testing::Values("[", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1]]", "[1] x", "[] []",
                                           "[\"a]", "[\"a\\", "[\"a\\\"]", "[[1]", "[}", "[1}", "[{]"));

TEST(DumpJson, ReplacesWhatIsNotUtf8) {
  const Json value{{"out", "a\xFF\xC3z"}, {"key\xFE", 1}};
  EXPECT_EQ(dump_json(value), "{\"key\xEF\xBF\xBD\":1,\"out\":\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"}");
}

TEST(DumpJson, WritesOneLineWithSortedKeys) {
  EXPECT_EQ(dump_json(Json{{"b", "x\ny"}, {"a", 1}}), R"({"a":1,"b":"x\ny"})");
}

TEST(AppendJsonString, AgreesWithTheLibraryOnEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  std::string out;
  append_json_string(out, all);
  const auto back = parse_json(out);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, parse_json(dump_json(Json(all))).value());
}

TEST(AppendJsonString, EscapesWhatJsonDemandsAndNothingElse) {
  std::string out = "x";
  append_json_string(out, std::string("\"\\\n\r\t\x01\x1f\x7f/\0e", 11));
  EXPECT_EQ(out, "x\"\\\"\\\\\\n\\r\\t\\u0001\\u001f\x7f/\\u0000e\"");
}

TEST(JsonInt, TakesWhatFitsExactly) {
  EXPECT_EQ(json_int(Json(-5)), -5);
  EXPECT_EQ(json_int(Json(5U)), 5);
  EXPECT_EQ(json_int(Json(7.0)), 7);
  EXPECT_EQ(json_int(Json(std::numeric_limits<std::int64_t>::min())), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(json_uint(Json(std::numeric_limits<std::uint64_t>::max())), std::numeric_limits<std::uint64_t>::max());
}

TEST(JsonInt, RefusesWhatTheLibraryWouldTurnIntoRubbish) {
  EXPECT_EQ(json_uint(Json(-5)), std::nullopt);
  EXPECT_EQ(json_uint(Json(-5.0)), std::nullopt);
  EXPECT_EQ(json_int(Json(1e300)), std::nullopt);
  EXPECT_EQ(json_int(Json(1.5)), std::nullopt);
  EXPECT_EQ(json_int(Json(9007199254740994.0)), std::nullopt);
  EXPECT_EQ(json_int(Json(std::numeric_limits<std::uint64_t>::max())), std::nullopt);
  EXPECT_EQ(json_int(Json(std::nan(""))), std::nullopt);
  EXPECT_EQ(json_uint(parse_json("18446744073709551616").value()), std::nullopt);
  EXPECT_EQ(json_int(parse_json("-9223372036854775809").value()), std::nullopt);
}

TEST(JsonNumbers, AreNeitherBoolsNorTexts) {
  for (const Json& value : {Json(true), Json(false), Json("5"), Json(nullptr), Json::array({5}), Json::object()}) {
    EXPECT_EQ(json_int(value), std::nullopt) << value;
    EXPECT_EQ(json_uint(value), std::nullopt) << value;
    EXPECT_EQ(json_double(value), std::nullopt) << value;
  }
}

TEST(JsonDouble, IsFinite) {
  EXPECT_EQ(json_double(Json(2)), 2.0);
  EXPECT_EQ(json_double(Json(-0.5)), -0.5);
  EXPECT_EQ(json_double(Json(1e300)), 1e300);
  EXPECT_EQ(json_double(Json(std::numeric_limits<double>::infinity())), std::nullopt);
  EXPECT_EQ(json_double(Json(std::nan(""))), std::nullopt);
}

}  // namespace
}  // namespace berth
