// SPDX-License-Identifier: Apache-2.0
// Where YAML readers differ or read something nobody meant.
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

class SharpEdge : public BadFile {};
TEST_P(SharpEdge, IsRefusedAtItsPlace) {
  expect_said();
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, SharpEdge,
    ::testing::Values(
        Bad{"Empty", "", {"job.yaml:1:1: nothing is written here"}},
        Bad{"OnlyAComment", "# job: x\n", {"job.yaml:1:1: nothing is written here"}},
        Bad{"AList",
            "- job\n",
            {"job.yaml:1:1: a job file is a map of keys such as job, slots and steps; this is a list"}},
        Bad{"AWord",
            "job\n",
            {"job.yaml:1:1: a job file is a map of keys such as job, slots and steps; this is \"job\""}},
        Bad{"RepeatedKey",
            "job: a\nslots: 2\njob: b\n",
            {"job.yaml:3:1: key \"job\" stands here twice, first in line 1"}},
        Bad{"RepeatedKeyBelow",
            "job: a\nslot:\n  pids: 9\n  pids: 9\n",
            {"job.yaml:4:3: key \"pids\" stands here twice, first in line 3"}},
        Bad{"RepeatedKeyInArgs",
            "job: a\nsteps:\n  - {name: s, tool: bash, args: {command: a, command: b}}\n",
            {"job.yaml:3:46: key \"command\" stands here twice, first in line 3"}},
        Bad{"RepeatedKeyInOtherQuotes",
            "job: a\n\"job\": b\n",
            {"job.yaml:2:1: key \"job\" stands here twice, first in line 1"}},
        Bad{"SecondDocument",
            "job: a\n---\njob: b\n",
            {"job.yaml:2:1: a second document begins here; a job file is one document"}},
        Bad{"SecondDocumentThatIsEmpty",
            "job: a\n---\n",
            {"job.yaml:2:1: a second document begins here; a job file is one document"}},
        Bad{"MergeKey",
            "job: a\nenv: &e {A: b}\nvars:\n  <<: *e\n",
            {"job.yaml:4:3: unknown key \"<<\": merge keys are not used in job files"}},
        Bad{"CompoundKey", "job: a\n? [x]\n: y\n", {"job.yaml:2:3: a key must be plain text"}},
        Bad{"MissingKey", "job: a\n: y\n", {"job.yaml:2:1: a key is missing"}},
        Bad{"Tag",
            "job: !!str a\n",
            {"job.yaml:1:6: YAML tags such as !!str are not used in job files; quote text instead"}},
        Bad{"TabIndent", "job: a\nslot:\n\tpids: 9\n", {"job.yaml:3:1: a tab cannot be used to indent; use spaces"}},
        Bad{"UnclosedList", "job: a\nsetup: [x\n", {"job.yaml:3:1: not valid YAML: end of sequence flow not found"}},
        Bad{"UnclosedQuote", "job: \"a\n", {"job.yaml:1:6: this quote is never closed"}},
        Bad{"UnclosedQuoteAfterLines",
            "job: a\nimage: 'x\n  ''y\nslots: 3\n",
            {"job.yaml:2:8: this quote is never closed"}},
        Bad{"UnclosedQuoteOfAnAnchor", "job: &x \"a\n", {"job.yaml:1:6: this quote is never closed"}},
        Bad{"UnclosedQuoteWithEscape", "job: \"a\\\"\n", {"job.yaml:1:6: this quote is never closed"}},
        Bad{"NonSpecificTag",
            "job: ! a\n",
            {"job.yaml:1:6: YAML tags such as !!str are not used in job files; quote text instead"}},
        Bad{"UnknownAlias", "job: *a\n", {"job.yaml:1:6: not valid YAML: the referenced anchor is not defined"}},
        Bad{"NotUtf8", "job: a\nimage: \"\xff\"\n", {"job.yaml:2:9: bytes that are not UTF-8"}},
        Bad{"CutUtf8", "job: \xe2\x82", {"job.yaml:1:6: bytes that are not UTF-8"}},
        Bad{"Utf16",
            std::string_view("\xff\xfej\0o\0b\0", 8),
            {"job.yaml:1:4: a control character; write it as an escape in a quoted text"}},
        Bad{"NulByte",
            std::string_view("job: a\0b\n", 9),
            {"job.yaml:1:7: a control character; write it as an escape in a quoted text"}},
        Bad{"NulEscape", "job: a\nimage: \"x\\0\"\n", {"job.yaml:2:8: text with a NUL character cannot be passed on"}},
        Bad{"HalfASurrogatePair", "job: \"\\ud83d\"\n", {"job.yaml:1:13: not valid YAML: invalid unicode: 55357"}}),
    bad_name);

INSTANTIATE_TEST_SUITE_P(
    Numbers, SharpEdge,
    ::testing::Values(
        Bad{"LeadingZero",
            "job: a\nslots: 010\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"010\"; write a plain decimal number "
             "without a "
             "leading zero"}},
        Bad{"Hexadecimal",
            "job: a\nslots: 0x10\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"0x10\"; write a plain decimal "
             "number without a "
             "leading zero"}},
        Bad{"PlusSign",
            "job: a\nslots: +5\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"+5\"; write a plain decimal number "
             "without a "
             "leading zero"}},
        Bad{"Quoted",
            "job: a\nslots: \"5\"\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"5\"; take off the quotes"}},
        Bad{"Fraction",
            "job: a\nslots: 1.0\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"1.0\""}},
        Bad{"TooLargeForAnyInteger",
            "job: a\nslots: 99999999999999999999\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"99999999999999999999\""}},
        Bad{"Infinity",
            "job: a\nslot: {cpu: .inf}\n",
            {"job.yaml:2:13: slot.cpu: expected none or a number from 0.01 to 4096, found \".inf\"; write a plain "
             "decimal number "
             "without a leading zero"}},
        Bad{"HugeExponent",
            "job: a\nslot: {cpu: 1e999}\n",
            {"job.yaml:2:13: slot.cpu: expected none or a number from 0.01 to 4096, found \"1e999\""}},
        Bad{"NumberWhereTextIsMeant",
            "job: a\nimage: 3.12\n",
            {"job.yaml:2:8: image: expected text, found \"3.12\"; put it in quotes"}},
        Bad{"LeadingZeroWhereTextIsMeant",
            "job: a\nimage: 0123\n",
            {"job.yaml:2:8: image: expected text, found \"0123\"; put it in quotes"}},
        Bad{"LeadingZeroInArgs",
            "job: a\nsteps: [{name: s, tool: read_file, args: {path: a, limit: 010}}]\n",
            {"job.yaml:2:59: 010 is read differently by different YAML readers; quote it if it is text, or write a "
             "plain decimal "
             "number, true or false",
             "job.yaml:2:59: args.limit: expected a whole number, found \"010\""}},
        Bad{"TooLargeInArgs",
            "job: a\nsteps: [{name: s, tool: read_file, args: {path: a, limit: 99999999999999999999}}]\n",
            {"job.yaml:2:59: 99999999999999999999 is too large for a number; quote it",
             "job.yaml:2:59: args.limit: expected a whole number, found \"99999999999999999999\""}}),
    bad_name);

INSTANTIATE_TEST_SUITE_P(
    Booleans, SharpEdge,
    ::testing::Values(
        Bad{"Yes",
            "job: a\ninsecure: yes\n",
            {"job.yaml:2:11: insecure: expected true or false, found \"yes\"; write true or false"}},
        Bad{"Off",
            "job: a\ninsecure: off\n",
            {"job.yaml:2:11: insecure: expected true or false, found \"off\"; write true or false"}},
        Bad{"Capital",
            "job: a\ninsecure: True\n",
            {"job.yaml:2:11: insecure: expected true or false, found \"True\"; write true or false"}},
        Bad{"Quoted",
            "job: a\ninsecure: \"true\"\n",
            {"job.yaml:2:11: insecure: expected true or false, found \"true\"; take off the quotes"}},
        Bad{"One", "job: a\ninsecure: 1\n", {"job.yaml:2:11: insecure: expected true or false, found \"1\""}},
        Bad{"BooleanWhereTextIsMeant",
            "job: a\nimage: true\n",
            {"job.yaml:2:8: image: expected text, found \"true\"; put it in quotes"}},
        Bad{"CapitalInArgs",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: x, require_sandbox: TRUE}}]\n",
            {"job.yaml:2:67: TRUE is read differently by different YAML readers; quote it if it is text, or write a "
             "plain decimal "
             "number, true or false",
             "job.yaml:2:67: args.require_sandbox: expected true or false, found \"TRUE\""}}),
    bad_name);

INSTANTIATE_TEST_SUITE_P(
    UnquotedTemplate, SharpEdge,
    ::testing::Values(Bad{"Alone",
                          "job: a\nsteps:\n  - {name: s, tool: bash, args: {command: {{index}}}}\n",
                          {"job.yaml:3:43: quote text that holds a template: \"{{index}}\""}},
                      Bad{"InABlock",
                          "job: a\ninputs:\n  - from: {{vars.x}}\n    to: /workspace\n",
                          {"job.yaml:3:11: quote text that holds a template: \"{{vars.x}}\""}},
                      Bad{"TwiceAreTwoComplaints",
                          "job: a\ninputs:\n  - from: {{vars.x}}\n    to: {{vars.y}}\n",
                          {"job.yaml:3:11: quote text that holds a template: \"{{vars.x}}\"",
                           "job.yaml:4:9: quote text that holds a template: \"{{vars.y}}\""}},
                      Bad{"WithTextAfterIt",
                          "job: a\ninputs:\n  - from: {{vars.x}}/y\n    to: /workspace\n",
                          {"job.yaml:3:11: quote text that holds a template: \"{{vars.x}}\""}},
                      Bad{"InTheMiddleOfAFlowMap",
                          "job: a\nsteps: [{name: s, tool: bash, args: {command: echo {{index}}}}]\n",
                          {"job.yaml:2:52: quote text that holds a template, for example \"echo {{index}}\""}},
                      Bad{"AfterAQuotedOne",
                          "job: a\nsteps: [{name: \"{{\", tool: bash, args: {command: echo {{index}}}}]\n",
                          {"job.yaml:2:55: quote text that holds a template, for example \"echo {{index}}\""}}),
    bad_name);

TEST(Yaml, EscapesWhatAMessageShows) {
  EXPECT_THAT(complaints("job: \"a\\e[31m\\n\\\"\\u202e\"\n"),
              ::testing::ElementsAre(
                  "job.yaml:1:6: job: expected 1 to 63 lower-case letters, digits and -, - neither first nor "
                  "last, found \"a\\x1b[31m\\n\\\"\xE2\x80\xAE\""));
}

TEST(Yaml, CutsWhatAMessageShowsBetweenCharacters) {
  const std::string euros = [] {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "\xE2\x82\xAC";
    return text;
  }();
  EXPECT_THAT(joined(complaints("job: " + euros)), ::testing::HasSubstr(euros.substr(0, 60) + "...\"\n"));
}

TEST(Yaml, ReadsWindowsLineEndsAndAByteOrderMark) {
  const Job job = good("\xEF\xBB\xBFjob: a\r\nslots: 3\r\n");
  EXPECT_EQ(job.name, "a");
  EXPECT_EQ(job.slots, 3U);
}

TEST(Yaml, ReadsJson) {
  EXPECT_EQ(good(R"({"job": "a", "slots": 3, "slot": {"memory": "1GiB"}})").slot.memory_bytes, std::uint64_t{1} << 30);
}

TEST(Yaml, AliasesShareWhatTheyName) {
  const Job job = good("job: a\nenv: &e {A: b}\nvars: *e\n");
  EXPECT_EQ(job.vars, job.env);
}

TEST(Yaml, KeepsTextThatOnlyLooksLikeSomethingElse) {
  const Job job = good(
      "job: a\nimage: 1.2.3\nsetup: [yes, 2024-01-31, \"010\", 1:30, e5, 10x]\nenv: {A: 010, B: no, C: 1e3, D: "
      "\"\"}\n");
  EXPECT_EQ(job.image, "1.2.3");
  EXPECT_THAT(job.setup, ::testing::ElementsAre("yes", "2024-01-31", "010", "1:30", "e5", "10x"));
  EXPECT_EQ(job.env, (std::map<std::string, std::string>{{"A", "010"}, {"B", "no"}, {"C", "1e3"}, {"D", ""}}));
}

TEST(Yaml, KeepsTypesInArgs) {
  const Job job = good(
      "job: a\nsteps:\n  - name: s\n    tool: exec\n    args: {argv: [a, yes, \"1\", 'true', \"\"], background: false, "
      "env: {}}\n"
      "  - {name: t, tool: read_file, args: {path: \"12\", offset: 12, limit: 18446744073709551615}}\n");
  EXPECT_EQ(job.steps[0].args, R"({"argv":["a","yes","1","true",""],"background":false,"env":{}})");
  EXPECT_EQ(job.steps[1].args, R"({"limit":18446744073709551615,"offset":12,"path":"12"})");
}

}  // namespace
}  // namespace berth::jobs
