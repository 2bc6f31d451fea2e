// SPDX-License-Identifier: Apache-2.0
// JSONL items: their errors carry FILE:LINE, and steps are held against every one of them before anything starts.
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHead = "job: a\ntrajectories: {from: t.jsonl}\n";

class Trajectories : public ::testing::Test {
 protected:
  // What is said about a job file with these items beside it.
  std::vector<std::string> said(const std::string& items, const std::string& rest = "") const {
    folder_.write("t.jsonl", items);
    return complaints(kHead + rest, {}, folder_.path());
  }
  std::vector<Trajectory> loaded(const std::string& items) const {
    folder_.write("t.jsonl", items);
    const auto all = load_trajectories(good(kHead, {}, folder_.path()));
    return all ? *all : std::vector<Trajectory>{};
  }

  Folder folder_;
};

TEST_F(Trajectories, AreNumberedWithoutAFile) {
  const auto all = load_trajectories(good("job: a\ntrajectories: 3\n"));
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ(all->at(2).name, "a-2");
  EXPECT_EQ(all->at(2).index, 2U);
  EXPECT_EQ(all->at(2).item, "null");
}

TEST_F(Trajectories, AreOneALineAndBlankLinesAreSkipped) {
  const auto all = loaded("\n{\"x\": 1}\r\n   \n{\"trajectory\": \"mine\", \"x\": 2}");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "a-0");
  EXPECT_EQ(all[0].line, 2U);
  EXPECT_EQ(all[0].item, "{\"x\": 1}");
  EXPECT_EQ(all[1].name, "mine");
  EXPECT_EQ(all[1].index, 1U);
  EXPECT_EQ(all[1].line, 4U);
}

TEST_F(Trajectories, BadJsonCarriesItsLine) {
  EXPECT_THAT(said("{}\n{\"x\": }\n"), ElementsAre(::testing::StartsWith("t.jsonl:2: ")));
}
TEST_F(Trajectories, EveryBadLineIsListed) {
  EXPECT_EQ(said("[]\n{}\nnull\n\"x\"\n").size(), 3U);
}
TEST_F(Trajectories, AnArrayIsNoItem) {
  EXPECT_THAT(said("[]\n"), ElementsAre("t.jsonl:1: a line must be a JSON object"));
}
TEST_F(Trajectories, ARepeatedKeyIsRefused) {
  EXPECT_THAT(joined(said("{\"x\": 1, \"x\": 2}\n")), HasSubstr("t.jsonl:1: "));
}
TEST_F(Trajectories, TooDeepAnItemIsRefused) {
  EXPECT_THAT(joined(said("{\"x\": " + std::string(40, '[') + std::string(40, ']') + "}\n")), HasSubstr("t.jsonl:1: "));
}
TEST_F(Trajectories, AnEmptyFileIsRefused) {
  EXPECT_THAT(said("\n\n"), ElementsAre("job.yaml:2:22: trajectories.from: there is no line with an item in it"));
}
TEST_F(Trajectories, AMissingFileIsNamedAtItsPlace) {
  EXPECT_THAT(joined(complaints(kHead, {}, folder_.path())), HasSubstr("job.yaml:2:22: trajectories.from: "));
}
TEST_F(Trajectories, ARepeatedNameIsRefused) {
  EXPECT_THAT(said("{\"trajectory\": \"x\"}\n{}\n{\"trajectory\": \"x\"}\n"),
              ElementsAre("t.jsonl:3: trajectory \"x\" is there already, in line 1"));
}
TEST_F(Trajectories, ANameThatIsTakenByANumberIsRefused) {
  EXPECT_THAT(said("{\"trajectory\": \"a-1\"}\n{}\n"),
              ElementsAre("t.jsonl:2: trajectory \"a-1\" is there already, in line 1"));
}
TEST_F(Trajectories, ANameMustBeText) {
  for (const char* name : {"5", "null", "\"\"", "\"a\\u0000b\"", "\"a\\nb\"", "[]"}) {
    EXPECT_THAT(said("{\"trajectory\": " + std::string(name) + "}\n"),
                ElementsAre("t.jsonl:1: trajectory must be a text of 1 to 200 bytes without control characters"))
        << name;
  }
}

TEST_F(Trajectories, AMissingFieldIsSaidOnceWithItsFirstLine) {
  EXPECT_THAT(
      said("{\"program\": \"x\"}\n\n{\"programm\": \"x\"}\n{}\n",
           "steps:\n  - {name: s, tool: bash, args: {command: \"{{item.program}}\"}}\n"),
      ElementsAre("job.yaml:4:43: {{item.program}}: the item has no field \"program\"; did you mean {{item.programm}}? "
                  "(t.jsonl:3)"));
}

TEST_F(Trajectories, AFieldOfTheWrongTypeIsSaid) {
  EXPECT_THAT(
      said("{\"p\": \"x\"}\n{\"p\": 5}\n", "steps:\n  - {name: s, tool: bash, args: {command: \"{{item.p}}\"}}\n"),
      ElementsAre("job.yaml:4:43: {{item.p}}: expected a string, found number (t.jsonl:2)"));
}

TEST_F(Trajectories, AFieldInsideOfTextMayHaveAnyType) {
  EXPECT_THAT(said("{\"p\": 5}\n", "steps:\n  - {name: s, tool: bash, args: {command: \"x {{item.p}}\"}}\n"),
              ElementsAre());
}

TEST_F(Trajectories, AnArgvFromAnItemMustBeStrings) {
  EXPECT_THAT(
      said("{\"v\": [\"a\"]}\n{\"v\": [1]}\n", "steps:\n  - {name: s, tool: exec, args: {argv: \"{{item.v}}\"}}\n"),
      ElementsAre("job.yaml:4:40: {{item.v}}: expected an array of strings, found array (t.jsonl:2)"));
}

TEST_F(Trajectories, APathThatClimbsIsSaidBeforeAnythingStarts) {
  EXPECT_THAT(said("{\"trajectory\": \"ok\"}\n{\"trajectory\": \"../../x\"}\n",
                   "outputs: [{from: r, to: \"out/{{trajectory}}/\"}]\n"),
              ElementsAre("job.yaml:3:25: \"out/../../x/\" leaves the job file's folder (t.jsonl:2)"));
}

TEST_F(Trajectories, APatternFromAnItemMustBeOne) {
  EXPECT_THAT(
      joined(said("{\"p\": \"a+\"}\n{\"p\": \"a(\"}\n",
                  "steps:\n  - {name: s, tool: bash, args: {command: x}, expect: {matches: \"{{item.p}}\"}}\n")),
      HasSubstr("job.yaml:4:65: \"a(\" is no RE2 pattern: missing ): a( (t.jsonl:2)"));
}

TEST_F(Trajectories, WithoutAFolderNoFileIsRead) {
  EXPECT_TRUE(parse_job("job: a\ntrajectories: {from: /etc/shadow}\n", "job.yaml", "").has_value());
}

TEST_F(Trajectories, TheFileIsShownFromWhereTheJobFileWasNamed) {
  folder_.write("t.jsonl", "x\n");
  const auto job = parse_job(kHead, "some/where/job.yaml", folder_.path());
  ASSERT_FALSE(job.has_value());
  EXPECT_THAT(to_string(job.error().at(0)), ::testing::StartsWith("some/where/t.jsonl:1: "));
}

}  // namespace
}  // namespace berth::jobs
