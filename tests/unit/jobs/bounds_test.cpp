// SPDX-License-Identifier: Apache-2.0
// Small files that ask for a lot: answered at their place, soon, and without the memory they ask for.
#include <chrono>

#include "tests/support/slowdown.hpp"
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kPromised = std::chrono::milliseconds(50);  // threats.md row 48
constexpr auto kAllowed = 5 * kPromised * berth::testing::kSlowdown;

std::vector<std::string> timed(const std::string& yaml) {
  const auto start = std::chrono::steady_clock::now();
  auto lines = complaints(yaml);
  EXPECT_LT(std::chrono::steady_clock::now() - start, kAllowed);
  return lines;
}

std::string alias_bomb(int levels, int width) {
  std::string yaml = "job: a\nx0: &x0 [a]\n";
  for (int level = 1; level <= levels; ++level) {
    const std::string name = "x" + std::to_string(level);
    yaml += name + ": &" + name + " [";
    for (int i = 0; i < width; ++i) yaml += (i > 0 ? ", *x" : "*x") + std::to_string(level - 1);
    yaml += "]\n";
  }
  return yaml;
}

TEST(Bounds, AnAliasBombEndsAtTheAliasThatPassesTheBound) {
  EXPECT_THAT(timed(alias_bomb(9, 9)), ElementsAre("job.yaml:7:10: more than 20000 values, aliases counted each time"));
}

TEST(Bounds, ABombOfAHundredLevelsIsNoSlower) {
  EXPECT_THAT(joined(timed(alias_bomb(100, 9))), HasSubstr("more than 20000 values, aliases counted each time"));
}

TEST(Bounds, ABombOfLongTextsEnds) {
  std::string yaml = "job: a\nx: &x \"" + std::string(100'000, 'y') + "\"\nz: [";
  for (int i = 0; i < 1000; ++i) yaml += "*x, ";
  EXPECT_THAT(timed(yaml + "]\n"),
              ElementsAre("job.yaml:3:165: more than 4194304 bytes of text, aliases counted each time"));
}

TEST(Bounds, AnAliasInsideOfItselfEnds) {
  EXPECT_THAT(timed("job: a\nenv: &e {A: *e}\n"),
              ElementsAre("job.yaml:2:13: an alias inside of what it names has no end"));
}

TEST(Bounds, AnAliasFurtherInsideOfItselfEnds) {
  EXPECT_THAT(timed("job: a\nenv: &e {A: {B: [*e]}}\n"),
              ElementsAre("job.yaml:2:18: an alias inside of what it names has no end"));
}

TEST(Bounds, DepthIsBoundedForBrackets) {
  EXPECT_THAT(timed("job: a\nenv: " + std::string(10'000, '[') + std::string(10'000, ']')),
              ElementsAre("job.yaml:2:37: nested more than 32 levels deep"));
}

TEST(Bounds, DepthIsBoundedForDashes) {
  std::string yaml = "job: a\nenv:\n  ";
  for (int i = 0; i < 5000; ++i) yaml += "- ";
  EXPECT_THAT(joined(timed(yaml)), HasSubstr("nested more than 32 levels deep"));
}

TEST(Bounds, DepthIsBoundedForAliases) {
  EXPECT_THAT(joined(timed(alias_bomb(40, 1))), HasSubstr("nested more than 32 levels deep"));
}

TEST(Bounds, ManyValuesEnd) {
  std::string yaml = "job: a\nsetup: [";
  for (int i = 0; i < 200'000; ++i) yaml += "a,";
  EXPECT_THAT(joined(timed(yaml)), HasSubstr("more than 20000 values"));
}

TEST(Bounds, AFileOfMoreThanAMebibyteIsNotParsed) {
  EXPECT_THAT(timed("job: a\n#" + std::string(1 << 20, ' ')),
              ElementsAre("job.yaml: larger than 1048576 bytes, the most a job file may have"));
}

TEST(Bounds, AFileOfMoreThanAMebibyteIsNotReadIn) {
  const auto job = load_job("/dev/zero");
  ASSERT_FALSE(job.has_value());
  EXPECT_THAT(to_string(job.error().front()), ::testing::StartsWith("/dev/zero: "));
}

TEST(Bounds, AThousandComplaintsAreShownAsTheFirstHundred) {
  std::string yaml = "job: a\n";
  for (int i = 0; i < 1000; ++i) yaml += "k" + std::to_string(i) + ": 1\n";
  const auto lines = timed(yaml);
  ASSERT_EQ(lines.size(), 101U);
  EXPECT_THAT(lines[0], HasSubstr("job.yaml:2:1: unknown key \"k0\""));
  EXPECT_EQ(lines[100], "job.yaml: there are more errors; these are the first");
}

TEST(Bounds, AFileAtTheBoundIsStillRead) {
  std::string yaml = "job: a\nsetup:\n";
  while (yaml.size() < 900'000) yaml += "  - \"" + std::string(1000, 'x') + "\"\n";
  EXPECT_EQ(good(yaml).setup.size(), 894U);
}

}  // namespace
}  // namespace berth::jobs
