// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

using ::testing::ElementsAre;

constexpr const char* kJob = "job: a\nslot: {pids: 9}\nsteps:\n  - {name: s, tool: bash, args: {command: x}}\n";

TEST(Set, ReplacesAKey) {
  EXPECT_EQ(good(kJob, {.sets = {"slots=3"}}).slots, 3U);
}
TEST(Set, ReplacesAKeyBelow) {
  EXPECT_EQ(good(kJob, {.sets = {"slot.pids=10"}}).slot.pids, 10U);
}
TEST(Set, KeepsWhatStandsBeside) {
  const Job job = good(kJob, {.sets = {"slot.memory=1GiB"}});
  EXPECT_EQ(job.slot.pids, 9U);
  EXPECT_EQ(job.slot.memory_bytes, std::uint64_t{1} << 30);
}
TEST(Set, MakesMapsOnTheWay) {
  EXPECT_EQ(good(kJob, {.sets = {"vars.project=/srv/x"}}).vars.at("project"), "/srv/x");
}
TEST(Set, ReachesIntoLists) {
  EXPECT_EQ(good(kJob, {.sets = {"steps.0.timeout=2m"}}).steps.at(0).timeout.count(), 120);
}
TEST(Set, ReadsTheValueAsYaml) {
  EXPECT_EQ(good(kJob, {.sets = {"slot={pids: 10, disk: 1GiB}"}}).slot.disk_bytes, std::uint64_t{1} << 30);
}
TEST(Set, TheLastOneWins) {
  EXPECT_EQ(good(kJob, {.sets = {"slots=3", "slots=4"}}).slots, 4U);
}
TEST(Set, ValuesMayHoldEqualSigns) {
  EXPECT_EQ(good(kJob, {.sets = {"vars.x=a=b"}}).vars.at("x"), "a=b");
}
TEST(Set, FillsAKeyThatHasNothing) {
  EXPECT_EQ(good("job: a\nvars:\n", {.sets = {"vars.x=b"}}).vars.at("x"), "b");
}
TEST(Set, MendsAFileThatIsWrongWithoutIt) {
  EXPECT_EQ(good("job: a\nslots: many\n", {.sets = {"slots=2"}}).slots, 2U);
}
TEST(Set, ChangesOnlyOneUseOfAnAlias) {
  const Job job = good("job: a\nenv: &e {A: b}\nvars: *e\n", {.sets = {"vars.A=c"}});
  EXPECT_EQ(job.env.at("A"), "b");
  EXPECT_EQ(job.vars.at("A"), "c");
}
TEST(Set, DriverIsAnOptionOfItsOwn) {
  EXPECT_EQ(good("job: a\nimage: x\n", {.driver = DriverKind::nomad}).driver, DriverKind::nomad);
}

struct BadSet {
  std::string_view name;
  std::string set;
  std::string said;
};
void PrintTo(const BadSet& bad, std::ostream* out) {
  *out << bad.name;
}

class SetOption : public ::testing::TestWithParam<BadSet> {};
TEST_P(SetOption, IsNamedByItsComplaint) {
  EXPECT_THAT(complaints(kJob, {.sets = {GetParam().set}}),
              ElementsAre("--set " + GetParam().set + ": " + GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    Refused, SetOption,
    ::testing::Values(
        BadSet{"NoValue", "slots", "expected PATH=VALUE, for example slot.memory=1GiB"},
        BadSet{"NoPath", "=3", "the path before = has an empty part"},
        BadSet{"EmptyPart", "slot..pids=3", "the path before = has an empty part"},
        BadSet{"NothingAsValue", "slots=", "nothing is written here"},
        BadSet{"UnknownKey", "slotz=3", "unknown key \"slotz\"; did you mean slots?"},
        BadSet{"WrongType", "slots=many", "slots: expected a whole number from 1 to 1000, found \"many\""},
        BadSet{"OutOfRange", "slot.memory=1B",
               "slot.memory: expected a size from 4MiB to 64TiB, for example 512MiB, found \"1B\""},
        BadSet{"IntoANumber", "slot.pids.x=3", "slot.pids is \"9\", which has no x in it"},
        BadSet{"NoNumberForAList", "steps.first.timeout=3s",
               "steps is a list; name a place in it by number, from 0, not \"first\""},
        BadSet{"PastTheEndOfAList", "steps.1.timeout=3s", "steps has 1 entries, counted from 0; there is no 1"},
        BadSet{"NegativePlace", "steps.-1.timeout=3s",
               "steps is a list; name a place in it by number, from 0, not \"-1\""},
        BadSet{"NotYaml", "vars.x=[", "not valid YAML: end of sequence flow not found"},
        BadSet{"UnclosedQuote", "vars.x=\"a", "not valid YAML: illegal EOF in scalar"},
        BadSet{"Template", "steps.0.args.command={{index}}", "quote text that holds a template: \"{{index}}\""},
        BadSet{"SecondDocument", "vars.x=a\n---\nb", "a second document begins here; a job file is one document"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Set, ComplaintsOfSeveralNameTheirOwn) {
  EXPECT_THAT(complaints("job: A\n", {.sets = {"slots=x", "lease.idle=1"}}),
              ElementsAre(::testing::StartsWith("job.yaml:1:6: job: "), ::testing::StartsWith("--set slots=x: slots: "),
                          ::testing::StartsWith("--set lease.idle=1: lease.idle: ")));
}

TEST(Set, DriverComplaintsNameTheOption) {
  EXPECT_THAT(complaints("job: a\n", {.driver = DriverKind::docker}),
              ElementsAre("--driver docker: driver docker needs image"));
}

}  // namespace
}  // namespace berth::jobs
