// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

class Arguments : public BadFile {};
TEST_P(Arguments, AreRefusedAtTheirPlace) {
  expect_said();
}

INSTANTIATE_TEST_SUITE_P(
    Tool, Arguments,
    ::testing::Values(Bad{"UnknownTool",
                          "job: a\nsteps: [{name: s, tool: python}]\n",
                          {"job.yaml:2:25: unknown tool \"python\"; known are exec, bash, read_file and write_file"}},
                      Bad{"NearTool",
                          "job: a\nsteps: [{name: s, tool: readfile}]\n",
                          {"job.yaml:2:25: unknown tool \"readfile\"; did you mean read_file?"}},
                      Bad{"NoCommand",
                          "job: a\nsteps: [{name: s, tool: bash}]\n",
                          {"job.yaml:2:9: args.command is missing: bash wants text"}},
                      Bad{"CommandMisspelt",
                          "job: a\nsteps: [{name: s, tool: bash, args: {cmmand: x}}]\n",
                          {"job.yaml:2:37: args.command is missing: bash wants text",
                           "job.yaml:2:38: bash has no argument \"cmmand\"; did you mean command?"}},
                      Bad{"CommandOfExec",
                          "job: a\nsteps: [{name: s, tool: exec, args: {command: x}}]\n",
                          {"job.yaml:2:37: args.argv is missing: exec wants a list of texts, at least one",
                           "job.yaml:2:38: exec has no argument \"command\""}},
                      Bad{"ArgvAsText",
                          "job: a\nsteps: [{name: s, tool: exec, args: {argv: ls -l}}]\n",
                          {"job.yaml:2:44: args.argv: expected a list of texts, at least one, found \"ls -l\""}},
                      Bad{"ArgvEmpty",
                          "job: a\nsteps: [{name: s, tool: exec, args: {argv: []}}]\n",
                          {"job.yaml:2:44: args.argv: expected a list of texts, at least one, found a list"}},
                      Bad{"NumberInArgv",
                          "job: a\nsteps: [{name: s, tool: exec, args: {argv: [head, -5]}}]\n",
                          {"job.yaml:2:51: args.argv.1: expected text, found \"-5\"; put it in quotes"}},
                      Bad{"NumberAsContent",
                          "job: a\nsteps: [{name: s, tool: write_file, args: {path: x, content: 5}}]\n",
                          {"job.yaml:2:62: args.content: expected text, found \"5\"; put it in quotes"}},
                      Bad{"NoContent",
                          "job: a\nsteps: [{name: s, tool: write_file, args: {path: x}}]\n",
                          {"job.yaml:2:43: args.content is missing: write_file wants text"}},
                      Bad{"EmptyPath",
                          "job: a\nsteps: [{name: s, tool: read_file, args: {path: \"\"}}]\n",
                          {"job.yaml:2:49: args.path: expected a path, found \"\""}},
                      Bad{"NumberInEnv",
                          "job: a\nsteps: [{name: s, tool: bash, args: {command: x, env: {A: 5}}}]\n",
                          {"job.yaml:2:59: args.env.A: expected text, found \"5\"; put it in quotes"}},
                      Bad{"FlagAsText",
                          "job: a\nsteps: [{name: s, tool: exec, args: {argv: [x], background: \"true\"}}]\n",
                          {"job.yaml:2:61: args.background: expected true or false, found \"true\""}},
                      Bad{"NegativeOffset",
                          "job: a\nsteps: [{name: s, tool: read_file, args: {path: x, offset: -1}}]\n",
                          {"job.yaml:2:60: args.offset: expected a whole number, found \"-1\""}}),
    bad_name);

TEST(Arguments, EmptyContentAndAnEmptyCommandAreFine) {
  EXPECT_EQ(good("job: a\nsteps:\n  - {name: s, tool: write_file, args: {path: x, content: \"\"}}\n"
                 "  - {name: t, tool: bash, args: {command: \"\"}}\n")
                .steps.size(),
            2U);
}

}  // namespace
}  // namespace berth::jobs
