// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

struct Verdict {
  std::string_view name;
  std::optional<Expectation> expectation;
  bool success = true;
  std::string_view output;
  std::optional<int> exit_code = 0;
  std::optional<std::string> said = std::nullopt;
};
void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << verdict.name;
}

Expectation output(std::string text) {
  return Expectation{std::move(text), {}, {}, {}};
}
Expectation contains(std::string text) {
  return Expectation{{}, std::move(text), {}, {}};
}
Expectation matches(std::string text) {
  return Expectation{{}, {}, std::move(text), {}};
}
Expectation code(int number) {
  return Expectation{{}, {}, {}, number};
}
constexpr auto kMet = std::nullopt;

class Expected : public ::testing::TestWithParam<Verdict> {};
TEST_P(Expected, IsHeldAgainstTheResult) {
  const Verdict& verdict = GetParam();
  EXPECT_EQ(check_expectation(verdict.expectation, verdict.success, verdict.output, verdict.exit_code), verdict.said);
}

INSTANTIATE_TEST_SUITE_P(
    Verdict, Expected,
    ::testing::Values(
        Verdict{"NothingButSuccess", std::nullopt, true, "x", 0, kMet},
        Verdict{"NothingAndNoExitCode", std::nullopt, true, "x", std::nullopt, kMet},
        Verdict{"NothingAndAFailure", std::nullopt, false, "", std::nullopt, "the call failed"},
        Verdict{"NothingAndAnExitCode", std::nullopt, false, "", 2, "exit code 2, expected 0"},
        Verdict{"EmptyExpectation", Expectation{}, false, "", 2, "exit code 2, expected 0"},
        Verdict{"SuccessThatIsNone", Expectation{}, false, "", 0, "the call failed"},
        Verdict{"OutputTrimmed", output(" a\n"), true, "\n a \n", 0, kMet},
        Verdict{"OutputInside", output("a b"), true, "a  b", 0, "output is \"a  b\", expected \"a b\""},
        Verdict{"OutputOfMore", output("a"), true, "a b", 0, "output is \"a b\", expected \"a\""},
        Verdict{"EmptyOutputIsACondition", output(""), true, "x", 0, "output is \"x\", expected \"\""},
        Verdict{"OutputIsNotEnough", output("a"), false, "a", 1, "exit code 1, expected 0"},
        Verdict{"Contains", contains("b"), true, "abc", 0, kMet},
        Verdict{"ContainsNot", contains("B"), true, "abc", 0, "output is \"abc\", expected it to contain \"B\""},
        Verdict{"Matches", matches("^b"), true, "abc", 0, "output is \"abc\", expected it to match \"^b\""},
        Verdict{"MatchesSomewhere", matches("b.$"), true, "abc", 0, kMet},
        Verdict{"MatchesALine", matches("(?m)^b$"), true, "a\nb\nc", 0, kMet},
        Verdict{"NoPattern", matches("a("), true, "a", 0, "\"a(\" is no RE2 pattern: missing ): a("},
        Verdict{"ExitCode", code(3), false, "", 3, kMet},
        Verdict{"OtherExitCode", code(3), false, "", 1, "exit code 1, expected 3"},
        Verdict{"SuccessWhereFailureIsExpected", code(3), true, "", 0, "exit code 0, expected 3"},
        Verdict{"NoExitCode", code(3), false, "", std::nullopt, "no exit code, expected 3"},
        Verdict{"EveryConditionCounts", Expectation{"abc", "b", "z", {}}, true, "abc", 0,
                "output is \"abc\", expected it to match \"z\""},
        Verdict{"HostileOutputIsEscaped", output("a"), true, "\x1b]52;c;x\a", 0,
                "output is \"\\x1b]52;c;x\\x07\", expected \"a\""},
        Verdict{"BytesThatAreNotText", output("a"), true, "\xff", 0, "output is \"\xEF\xBF\xBD\", expected \"a\""}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Expected, APatternThatWouldBacktrackForeverEnds) {
  EXPECT_TRUE(check_expectation(matches("^(a+)+$"), true, std::string(100'000, 'a') + "b", 0).has_value());
}

TEST(Expected, ABadPatternIsSaidBeforeAnythingStarts) {
  EXPECT_THAT(
      complaints("job: a\nsteps: [{name: s, tool: bash, args: {command: x}, expect: {matches: \"a{2\\\\1\"}}]\n"),
      ::testing::ElementsAre("job.yaml:2:69: \"a{2\\\\1\" is no RE2 pattern: invalid escape sequence: \\1"));
}

}  // namespace
}  // namespace berth::jobs
