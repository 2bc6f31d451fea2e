// SPDX-License-Identifier: Apache-2.0
// Templates: what they become, and what is said about those that mean nothing.
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_command(std::string_view command) {
  return "job: a\nvars: {who: world, odd: \"{{index}}\"}\ntrajectories: {from: t.jsonl}\nsteps:\n"
         "  - name: s\n    tool: bash\n    args: {command: '" +
         std::string(command) + "'}\n";
}

// The args of the first step for an item.
std::string args_of(const std::string& yaml, const std::string& item) {
  const Job job = good(yaml, {}, "");
  const auto work = expand(job, Trajectory{"t-7", 7, item, 3});
  if (work) return work->steps.at(0).args;
  return "refused: " + to_string(work.error().at(0));
}

struct Replaced {
  std::string_view name;
  std::string_view command;
  std::string_view item;
  std::string_view args;
};
void PrintTo(const Replaced& replaced, std::ostream* out) {
  *out << replaced.name;
}

class Replacement : public ::testing::TestWithParam<Replaced> {};
TEST_P(Replacement, IsDoneOnce) {
  EXPECT_EQ(args_of(with_command(GetParam().command), std::string(GetParam().item)), GetParam().args);
}

INSTANTIATE_TEST_SUITE_P(
    Text, Replacement,
    ::testing::Values(Replaced{"Index", "{{index}}", "{}", R"({"command":"7"})"},
                      Replaced{"Trajectory", "x {{trajectory}} y", "{}", R"({"command":"x t-7 y"})"},
                      Replaced{"Var", "{{vars.who}}{{vars.who}}", "{}", R"({"command":"worldworld"})"},
                      Replaced{"SpacesInside", "{{ index }}", "{}", R"({"command":"7"})"},
                      Replaced{"ItemText", "echo {{item.x}}", R"({"x": "a b"})", R"({"command":"echo a b"})"},
                      Replaced{"ItemWithBraces", "{{item.x}} {{index}}", R"({"x": "{{index}} {{{{ {{nope}}"})",
                               R"({"command":"{{index}} {{{{ {{nope}} 7"})"},
                      Replaced{"VarWithBraces", "{{vars.odd}}", "{}", R"({"command":"{{index}}"})"},
                      Replaced{"LiteralBraces", "{{{{index}}", "{}", R"({"command":"{{index}}"})"},
                      Replaced{"LiteralBracesBeforeATemplate", "{{{{{{index}}", "{}", R"({"command":"{{7"})"},
                      Replaced{"ClosingBracesAlone", "a }} b", "{}", R"({"command":"a }} b"})"},
                      Replaced{"OneBrace", "a { b } ${c}", "{}", R"({"command":"a { b } ${c}"})"},
                      Replaced{"NumberInText", "n={{item.x}}", R"({"x": 1.5})", R"({"command":"n=1.5"})"},
                      Replaced{"ObjectInText", "n={{item.x}}", R"({"x": {"b": [1, null]}})",
                               R"({"command":"n={\"b\":[1,null]}"})"},
                      Replaced{"WholeItemKeepsItsType", "{{item.x}}", R"({"x": [1, "a"]})", R"({"command":[1,"a"]})"},
                      Replaced{"WholeNumberKeepsItsType", "{{item.x}}", R"({"x": 12})", R"({"command":12})"},
                      Replaced{"IndexStaysText", "{{index}}", R"({"index": 99})", R"({"command":"7"})"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Template, ReachesEveryDepthOfArgsButNoKey) {
  EXPECT_EQ(args_of("job: a\nsteps:\n  - {name: s, tool: exec, args: {argv: [a, \"{{index}}\"], env: {\"{{index}}\": "
                    "\"{{index}}\"}}}\n",
                    "null"),
            R"({"argv":["a","7"],"env":{"{{index}}":"7"}})");
}

TEST(Template, IsReplacedInEnvExpectInputsAndOutputs) {
  const Job job = good(
      "job: a\ninputs: [{from: \"in/{{index}}\", to: \"/workspace/{{index}}\"}]\n"
      "outputs: [{from: \"r-{{index}}\", to: \"out/{{trajectory}}/\"}]\nsteps:\n"
      "  - {name: \"{{index}}\", tool: bash, args: {command: x}, env: {A: \"{{index}}\"},\n"
      "     expect: {output: \"{{index}}\", contains: \"c{{index}}\", matches: \"^{{index}}$\"}}\n");
  const auto work = expand(job, Trajectory{"t", 7, "null", 0});
  ASSERT_TRUE(work.has_value());
  EXPECT_EQ(work->inputs.at(0).from, "in/7");
  EXPECT_EQ(work->inputs.at(0).to, "/workspace/7");
  EXPECT_EQ(work->outputs.at(0).from, "r-7");
  EXPECT_EQ(work->outputs.at(0).to, "out/t/");
  const ReadyStep& step = work->steps.at(0);
  EXPECT_EQ(step.name, "{{index}}");
  EXPECT_EQ(step.env.at("A"), "7");
  EXPECT_EQ(step.expect->output, "7");
  EXPECT_EQ(step.expect->contains, "c7");
  EXPECT_EQ(step.expect->matches, "^7$");
}

class Misused : public BadFile {};
TEST_P(Misused, IsRefusedAtItsPlace) {
  expect_said();
}

constexpr const char* kKnown = "; templates are {{item.NAME}}, {{index}}, {{trajectory}} and {{vars.NAME}}";

INSTANTIATE_TEST_SUITE_P(
    Name, Misused,
    ::testing::Values(
        Bad{"Unknown",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: \"{{nothing}}\"}}]\n",
            {std::string("job.yaml:2:47: {{nothing}} is unknown") + kKnown}},
        Bad{"Near",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: \"{{idnex}}\"}}]\n",
            {std::string("job.yaml:2:47: {{idnex}} is unknown; did you mean {{index}}?") + kKnown}},
        Bad{"ItemAlone",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: \"{{item}}\"}}]\n",
            {std::string("job.yaml:2:47: {{item}} is unknown") + kKnown}},
        Bad{"ItemWithoutAFile",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: \"{{item.x}}\"}}]\n",
            {"job.yaml:2:47: {{item.x}} needs trajectories: {from: FILE.jsonl}"}},
        Bad{"VarThatIsNotSet",
            "job: a\ninputs: [{from: \"{{vars.project}}\", to: /workspace}]\n",
            {"job.yaml:2:17: {{vars.project}} is not set; set it under vars: or with --set vars.project=VALUE"}},
        Bad{"NearVar",
            "job: a\nvars: {project: x}\ninputs: [{from: \"{{vars.projct}}\", to: /workspace}]\n",
            {"job.yaml:3:17: {{vars.projct}} is not set; did you mean {{vars.project}}?; set it under vars: or with "
             "--set "
             "vars.projct=VALUE"}},
        Bad{"NotClosed",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: \"a {{index\"}}]\n",
            {"job.yaml:2:47: \"{{index\" begins no template; write {{{{ for a literal {{"}},
        Bad{"Program",
            "job: a\nsteps: [{name: s, tool: write_file, args: {path: x.c, content: \"int a[1][1] = {{1}};\"}}]\n",
            {std::string("job.yaml:2:64: {{1}} is unknown") + kKnown}},
        Bad{"ProgramWithSpaces",
            "job: a\nsteps: [{name: s, tool: write_file, args: {path: x.c, content: \"{{1, 2}}\"}}]\n",
            {"job.yaml:2:64: \"{{1, 2}}\" begins no template; write {{{{ for a literal {{"}},
        Bad{"InEnvAndExpect",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: x},\n  env: {A: \"{{x}}\"}, expect: {output: "
            "\"{{y}}\"}}]\n",
            {std::string("job.yaml:3:12: {{x}} is unknown") + kKnown,
             std::string("job.yaml:3:39: {{y}} is unknown") + kKnown}},
        Bad{"InOutputs",
            "job: a\noutputs: [{from: \"{{x}}\", to: \"{{y}}\"}]\n",
            {std::string("job.yaml:2:18: {{x}} is unknown") + kKnown,
             std::string("job.yaml:2:31: {{y}} is unknown") + kKnown}}),
    bad_name);

constexpr const char* kPathHint = "for example /workspace/project";
INSTANTIATE_TEST_SUITE_P(
    Path, Misused,
    ::testing::Values(
        Bad{"InputNotBelowWorkspace",
            "job: a\ninputs: [{from: x, to: /etc/x}]\n",
            {std::string("job.yaml:2:24: \"/etc/x\" is not below /workspace, ") + kPathHint}},
        Bad{"InputBesideWorkspace",
            "job: a\ninputs: [{from: x, to: /workspaces}]\n",
            {std::string("job.yaml:2:24: \"/workspaces\" is not below /workspace, ") + kPathHint}},
        Bad{"InputLeavesWorkspace",
            "job: a\ninputs: [{from: x, to: /workspace/../etc}]\n",
            {"job.yaml:2:24: \"/workspace/../etc\" leaves /workspace or the folder that stands before its template"}},
        Bad{"InputRelative",
            "job: a\ninputs: [{from: x, to: project}]\n",
            {std::string("job.yaml:2:24: \"project\" is not below /workspace, ") + kPathHint}},
        Bad{"OutputLeavesTheFolder",
            "job: a\noutputs: [{from: x, to: ../x}]\n",
            {"job.yaml:2:25: \"../x\" leaves the job file's folder"}},
        Bad{"OutputLeavesTheFolderInTheMiddle",
            "job: a\noutputs: [{from: x, to: a/../../x}]\n",
            {"job.yaml:2:25: \"a/../../x\" leaves the job file's folder"}},
        Bad{"OutputIsAbsolute",
            "job: a\noutputs: [{from: x, to: /tmp/x}]\n",
            {"job.yaml:2:25: \"/tmp/x\" is absolute; outputs go below the job file's folder"}},
        Bad{"OutputFromOutside",
            "job: a\noutputs: [{from: ../etc, to: x}]\n",
            {"job.yaml:2:18: \"../etc\" leaves /workspace"}},
        Bad{"OutputFromTheSystem",
            "job: a\noutputs: [{from: /etc/passwd, to: x}]\n",
            {"job.yaml:2:18: \"/etc/passwd\" is not below /workspace"}},
        Bad{"VarLeavesTheFolder",
            "job: a\nvars: {x: ../y}\noutputs: [{from: r, to: \"out/{{vars.x}}\"}]\n",
            {"job.yaml:3:25: \"out/../y\" leaves the folder that stands before its template"}},
        Bad{"VarIsAbsolute",
            "job: a\nvars: {x: /y}\noutputs: [{from: r, to: \"{{vars.x}}\"}]\n",
            {"job.yaml:3:25: \"/y\" is absolute; outputs go below the job file's folder"}}),
    bad_name);

TEST(Template, PathsAreNormalisedAndKeepTheirLastSlash) {
  const Job job = good(
      "job: a\ninputs: [{from: x, to: /workspace}, {from: x, to: /workspace//a/../b/}]\n"
      "outputs: [{from: /workspace/r/./x, to: ./out//}, {from: ., to: all}]\n");
  const auto work = expand(job, Trajectory{"t", 0, "null", 0});
  ASSERT_TRUE(work.has_value());
  EXPECT_EQ(work->inputs.at(0).to, "/workspace");
  EXPECT_EQ(work->inputs.at(1).to, "/workspace/b/");
  EXPECT_EQ(work->outputs.at(0).from, "r/x");
  EXPECT_EQ(work->outputs.at(0).to, "out/");
  EXPECT_EQ(work->outputs.at(1).from, ".");
}

TEST(Template, ExpandSaysWhichTrajectoryHasNoSuchField) {
  EXPECT_THAT(
      args_of(with_command("{{item.programm}}"), R"({"program": "x"})"),
      "refused: job.yaml:5:5: {{item.programm}}: the item has no field \"programm\"; did you mean {{item.program}}? "
      "(trajectory t-7)");
}

TEST(Template, ExpandRefusesATrajectoryNameThatClimbs) {
  const Job job = good("job: a\noutputs: [{from: r, to: \"out/{{trajectory}}/\"}]\n");
  const auto work = expand(job, Trajectory{"..", 0, "null", 0});
  ASSERT_FALSE(work.has_value());
  EXPECT_THAT(to_string(work.error().at(0)),
              HasSubstr("\"out/../\" leaves the folder that stands before its template"));
}

}  // namespace
}  // namespace berth::jobs
