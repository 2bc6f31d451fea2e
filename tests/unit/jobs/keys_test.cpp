// SPDX-License-Identifier: Apache-2.0
// Unknown keys, wrong types, values out of range, and rules between keys.
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

class Key : public BadFile {};
TEST_P(Key, IsRefusedAtItsPlace) {
  expect_said();
}

INSTANTIATE_TEST_SUITE_P(
    Unknown, Key,
    ::testing::Values(
        Bad{"Near", "job: a\nslotz: 3\n", {"job.yaml:2:1: unknown key \"slotz\"; did you mean slots?"}},
        Bad{"NearInAMap",
            "job: a\nslot:\n  memroy: 1GiB\n",
            {"job.yaml:3:3: unknown key \"memroy\" in slot; did you mean memory?"}},
        Bad{"NearInAStep",
            "job: a\nsteps:\n  - name: s\n    tool: bash\n    arg: {command: x}\n",
            {"job.yaml:3:5: args.command is missing: bash wants text",
             "job.yaml:5:5: unknown key \"arg\" in steps.0; did you mean args?"}},
        Bad{"NearInExpect",
            "job: a\nsteps:\n  - {name: s, tool: bash, args: {command: x}, expect: {outputs: y}}\n",
            {"job.yaml:3:56: unknown key \"outputs\" in steps.0.expect; did you mean output?"}},
        Bad{"Far",
            "job: a\nlease: {quarantine: 3}\n",
            {"job.yaml:2:9: unknown key \"quarantine\" in lease; known are ttl, idle"}},
        Bad{"CaseMatters", "job: a\nSlots: 3\n", {"job.yaml:2:1: unknown key \"Slots\"; did you mean slots?"}},
        Bad{"OfDocker",
            "job: a\ndriver: docker\nimage: x\ndocker: {privileged: true}\n",
            {"job.yaml:4:10: unknown key \"privileged\" in docker; known are network"}},
        Bad{"OfNomad",
            "job: a\nnomad: {datacentre: x}\n",
            {"job.yaml:2:9: unknown key \"datacentre\" in nomad; did you mean datacenters?"}},
        Bad{"Empty",
            "job: a\n\"\": 3\n",
            {"job.yaml:2:1: unknown key \"\"; known are job, driver, image, rootfs, containers, slots, resources, "
             "slot, isolation, "
             "env, setup, inputs, outputs, mounts, lease, trajectories, vars, steps, docker, nomad, insecure"}}),
    bad_name);

INSTANTIATE_TEST_SUITE_P(
    Missing, Key,
    ::testing::Values(
        Bad{"Job",
            "slots: 3\n",
            {"job.yaml:1:1: job is missing: 1 to 63 lower-case letters, digits and -, - neither first nor last"}},
        Bad{"StepNameAndTool",
            "job: a\nsteps: [{}]\n",
            {"job.yaml:2:9: steps.0.name is missing: text", "job.yaml:2:9: steps.0.tool is missing: text"}},
        Bad{"InputTo", "job: a\ninputs: [{from: x}]\n", {"job.yaml:2:10: inputs.0.to is missing: text"}},
        Bad{"TrajectoriesFrom", "job: a\ntrajectories: {}\n", {"job.yaml:2:15: trajectories.from is missing: text"}},
        Bad{"ImageOfDocker", "job: a\ndriver: docker\n", {"job.yaml:2:9: driver docker needs image"}},
        Bad{"ImageOfNomad", "job: a\ndriver: nomad\n", {"job.yaml:2:9: driver nomad needs image"}}),
    bad_name);

INSTANTIATE_TEST_SUITE_P(
    WrongType, Key,
    ::testing::Values(
        Bad{"NothingForText",
            "job:\n",
            {"job.yaml:1:1: job: expected 1 to 63 lower-case letters, digits and -, - neither first nor last, found "
             "nothing"}},
        Bad{"NothingIsPlacedAtItsKey",
            "job: a\nslots:\n\n\nlease: {}\n",
            {"job.yaml:2:1: slots: expected a whole number from 1 to 1000, found nothing"}},
        Bad{"ListForMap", "job: a\nslot: [1]\n", {"job.yaml:2:7: slot: expected a map, found a list"}},
        Bad{"MapForList", "job: a\nsteps: {name: x}\n", {"job.yaml:2:8: steps: expected a list of maps, found a map"}},
        Bad{"TextForStep", "job: a\nsteps: [hello]\n", {"job.yaml:2:9: steps.0: expected a map, found \"hello\""}},
        Bad{"TextForArgs",
            "job: a\nsteps: [{name: s, tool: bash, args: echo}]\n",
            {"job.yaml:2:37: steps.0.args: expected a map, found \"echo\""}},
        Bad{"TextForSetup", "job: a\nsetup: make\n", {"job.yaml:2:8: setup: expected a list of texts, found \"make\""}},
        Bad{"NumberInSetup",
            "job: a\nsetup: [5]\n",
            {"job.yaml:2:9: setup.0: expected text, found \"5\"; put it in quotes"}},
        Bad{"EmptyInSetup", "job: a\nsetup: [\"\"]\n", {"job.yaml:2:9: setup.0: expected text, found \"\""}},
        Bad{"MapInEnv", "job: a\nenv: {A: {b: c}}\n", {"job.yaml:2:10: env.A: expected text or a number, found a map"}},
        Bad{"NothingInEnv", "job: a\nenv: {A: }\n", {"job.yaml:2:7: env.A: expected text or a number, found nothing"}},
        Bad{"NameInEnv",
            "job: a\nenv: {A-B: c}\n",
            {"job.yaml:2:7: env: \"A-B\" is no name: letters, digits and _, not beginning with a digit"}},
        Bad{"NameInVars",
            "job: a\nvars: {1x: c}\n",
            {"job.yaml:2:8: vars: \"1x\" is no name: letters, digits, _ and -, beginning with a letter or _"}},
        Bad{"TextForTrajectories",
            "job: a\ntrajectories: tasks.jsonl\n",
            {"job.yaml:2:15: trajectories: expected a whole number from 1 to 1000000 or a map, found \"tasks.jsonl\""}},
        Bad{"TextForExpect",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: x}, expect: ok}]\n",
            {"job.yaml:2:59: steps.0.expect: expected none or a map, found \"ok\""}},
        Bad{"UpperCaseJob",
            "job: My_Job\n",
            {"job.yaml:1:6: job: expected 1 to 63 lower-case letters, digits and -, - neither first nor last, found "
             "\"My_Job\""}},
        Bad{"JobEndsInDash",
            "job: a-\n",
            {"job.yaml:1:6: job: expected 1 to 63 lower-case letters, digits and -, - neither first nor last, found "
             "\"a-\""}},
        Bad{"JobOf64",
            "job: a123456789012345678901234567890123456789012345678901234567890123\n",
            {"job.yaml:1:6: job: expected 1 to 63 lower-case letters, digits and -, - neither first nor last, found "
             "\"a12345678901234567890123456789012345678901234567890123456789...\""}},
        Bad{"JobWithALineEnd",
            "job: \"a\\n\"\n",
            {"job.yaml:1:6: job: expected 1 to 63 lower-case letters, digits and -, - neither first nor last, found "
             "\"a\\n\""}}),
    bad_name);

INSTANTIATE_TEST_SUITE_P(
    Value, Key,
    ::testing::Values(
        Bad{"UnknownDriver",
            "job: a\ndriver: dokcer\n",
            {"job.yaml:2:9: driver: expected local, docker or nomad, found \"dokcer\"; did you mean docker?"}},
        Bad{"UnknownIsolation",
            "job: a\nisolation: best_effort\n",
            {"job.yaml:2:12: isolation: expected strict, best-effort or none, found \"best_effort\"; did you mean "
             "best-effort?"}},
        Bad{"NoSlots",
            "job: a\nslots: 0\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"0\""}},
        Bad{"NegativeSlots",
            "job: a\nslots: -1\n",
            {"job.yaml:2:8: slots: expected a whole number from 1 to 1000, found \"-1\""}},
        Bad{"NoTrajectories",
            "job: a\ntrajectories: 0\n",
            {"job.yaml:2:15: trajectories: expected a whole number from 1 to 1000000 or a map, found \"0\""}},
        Bad{"SizeWithoutUnit",
            "job: a\nslot: {memory: 512}\n",
            {"job.yaml:2:16: slot.memory: expected a size from 4MiB to 64TiB, for example 512MiB, found \"512\"; the "
             "unit is missing: "
             "512MiB"}},
        Bad{"SizeWithUnknownUnit",
            "job: a\nslot: {memory: 512mb}\n",
            {"job.yaml:2:16: slot.memory: expected a size from 4MiB to 64TiB, for example 512MiB, found \"512mb\""}},
        Bad{"SizeTooSmall",
            "job: a\nslot: {disk: 10B}\n",
            {"job.yaml:2:14: slot.disk: expected a size from 1MiB to 64TiB, for example 512MiB, found \"10B\""}},
        Bad{"SizeThatOverflows",
            "job: a\nslot: {output_kill: 99999999999PiB}\n",
            {"job.yaml:2:21: slot.output_kill: expected none or a size from 1B to 64TiB, for example 512MiB, found "
             "\"99999999999PiB\""}},
        Bad{"NegativeSize",
            "job: a\nslot: {memory: -5MiB}\n",
            {"job.yaml:2:16: slot.memory: expected a size from 4MiB to 64TiB, for example 512MiB, found \"-5MiB\""}},
        Bad{"DurationWithoutUnit",
            "job: a\nlease: {idle: 10}\n",
            {"job.yaml:2:15: lease.idle: expected a duration from 1s to 365d, for example 10s, found \"10\"; the unit "
             "is missing: 10s"}},
        Bad{"NoneWhereThereMustBeSome",
            "job: a\nlease: {idle: none}\n",
            {"job.yaml:2:15: lease.idle: expected a duration from 1s to 365d, for example 10s, found \"none\""}},
        Bad{"TimeoutOfNothing",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: x}, timeout: 0s}]\n",
            {"job.yaml:2:60: steps.0.timeout: expected a duration from 1ms to 1h, for example 10s, found \"0s\""}},
        Bad{"TimeoutOfHours",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: x}, timeout: 2h}]\n",
            {"job.yaml:2:60: steps.0.timeout: expected a duration from 1ms to 1h, for example 10s, found \"2h\""}},
        Bad{"ExitCode",
            "job: a\nsteps: [{name: s, tool: bash, args: {command: x}, expect: {exit_code: 256}}]\n",
            {"job.yaml:2:71: steps.0.expect.exit_code: expected a whole number from 0 to 255, found \"256\""}},
        Bad{"Priority",
            "job: a\nnomad: {priority: 0}\n",
            {"job.yaml:2:19: nomad.priority: expected a whole number from 1 to 100, found \"0\""}},
        Bad{"TaskDriver",
            "job: a\nnomad: {task_driver: podman}\n",
            {"job.yaml:2:22: nomad.task_driver: expected docker or berth, found \"podman\""}}),
    bad_name);

constexpr const char* kMounts =
    "mounts: host paths and sockets are not mounted into slots; bring files in with inputs and out with outputs";

INSTANTIATE_TEST_SUITE_P(
    Refused, Key,
    ::testing::Values(
        Bad{"NetworkAllowWord",
            "job: a\nslot: {network: allow}\n",
            {"job.yaml:2:17: slot.network: expected none, full or a map, found \"allow\""}},
        Bad{"NetworkOtherMap",
            "job: a\nslot: {network: {deny: []}}\n",
            {"job.yaml:2:17: slot.network.allow is missing: a list of hosts",
             "job.yaml:2:18: unknown key \"deny\" in slot.network; known are allow"}},
        Bad{"NetworkAllowsNobody",
            "job: a\nslot: {network: {allow: []}}\n",
            {"job.yaml:2:25: slot.network.allow: 1 to 256 hosts are expected; for none at all write network: none"}},
        Bad{"NetworkAllowText",
            "job: a\nslot: {network: {allow: a.example}}\n",
            {"job.yaml:2:25: slot.network.allow: expected a list of hosts, found \"a.example\""}},
        Bad{"NetworkAllowPatterns",
            "job: a\nslot:\n  network:\n    allow:\n      - https://a.example\n      - \"*\"\n      - a.example:0\n"
            "      - 0x7f.1\n      - a.example\n      - a.*.example\n      - 10.0.0.0/8\n",
            {"job.yaml:5:9: slot.network.allow.0: \"https://a.example\": write HOST or HOST:PORT, without a scheme",
             "job.yaml:6:9: slot.network.allow.1: \"*\": a lone * allows everything: that is `network: full`",
             "job.yaml:7:9: slot.network.allow.2: \"a.example:0\": a port is a number from 1 to 65535",
             "job.yaml:8:9: slot.network.allow.3: \"0x7f.1\": an IPv4 address is four decimal numbers from 0 to 255",
             "job.yaml:10:9: slot.network.allow.5: \"a.*.example\": a * stands for whole labels in front: "
             "*.example.org",
             "job.yaml:11:9: slot.network.allow.6: \"10.0.0.0/8\": write HOST or HOST:PORT; paths and ranges are not "
             "told "
             "apart"}},
        Bad{"NetworkAllowWithoutIsolation",
            "job: a\nisolation: none\nslot: {network: {allow: [a.example]}}\n",
            {"job.yaml:3:17: slot.network: allow needs slots with a network of their own, which isolation: none does "
             "not "
             "give; use isolation: strict"}},
        Bad{"NetworkFullOnThisMachine",
            "job: a\nslot: {network: full}\n",
            {"job.yaml:2:17: slot.network: full on driver local is this machine's own network, loopback included, "
             "which isolation: "
             "strict refuses; use network: none, or isolation: best-effort"}},
        Bad{"Socket",
            "job: a\nmounts: [{from: /var/run/docker.sock, to: /x}]\n",
            {std::string("job.yaml:2:9: ") + kMounts}},
        Bad{"DockerOnTheMachinesNetwork",
            "job: a\ndriver: docker\nimage: x\ndocker: {network: host}\n",
            {"job.yaml:4:19: docker.network: network host is the machine's own, loopback included; give the container "
             "a "
             "network of the engine"}},
        Bad{"MountAsText", "job: a\nmounts: /x\n", {std::string("job.yaml:2:9: ") + kMounts}},
        Bad{"MinAboveMax",
            "job: a\ncontainers: {min: 3}\n",
            {"job.yaml:2:19: containers.min is 3, more than containers.max, which is 1"}},
        Bad{"MoreSpareThanSlots",
            "job: a\nslots: 2\ncontainers: {spare: 3}\n",
            {"job.yaml:3:21: containers.spare is 3, more than the 2 slots there can be"}}),
    bad_name);

TEST(Keys, EveryErrorIsListedAtOnceInTheOrderOfTheFile) {
  EXPECT_THAT(complaints("slots: many\nslot: {memory: 1}\nsteps:\n  - {name: s, tool: bsh}\nlaese: {}\njob: X\n"),
              ::testing::ElementsAre("job.yaml:1:8: slots: expected a whole number from 1 to 1000, found \"many\"",
                                     "job.yaml:2:16: slot.memory: expected a size from 4MiB to 64TiB, for example "
                                     "512MiB, found \"1\"; the unit is "
                                     "missing: 1MiB",
                                     "job.yaml:4:21: unknown tool \"bsh\"; did you mean bash?",
                                     "job.yaml:5:1: unknown key \"laese\"; did you mean lease?",
                                     "job.yaml:6:6: job: expected 1 to 63 lower-case letters, digits and -, - neither "
                                     "first nor last, found \"X\""));
}

TEST(Keys, NetworkFullIsAcceptedWhereItIsNotStrict) {
  EXPECT_EQ(good("job: a\nisolation: best-effort\nslot: {network: full}\n").slot.network, NetworkMode::full);
}

TEST(Keys, NetworkFullIsAcceptedInContainers) {
  EXPECT_EQ(good("job: a\ndriver: docker\nimage: x\nslot: {network: full}\n").slot.network, NetworkMode::full);
}

TEST(Keys, NetworkAllowIsAListOfHostsInTheirOneSpelling) {
  const Job job =
      good("job: a\nslot: {network: {allow: [API.example.com, \"*.example.org:443\", \"[2001:DB8:0::1]:80\"]}}\n");
  EXPECT_EQ(job.slot.network, NetworkMode::allow);
  EXPECT_THAT(job.slot.allow, ::testing::ElementsAre("api.example.com", "*.example.org:443", "[2001:db8::1]:80"));
}

TEST(Keys, WhatTheDriverDoesNotUseIsNoted) {
  const Job job = good("job: a\nimage: x\nresources: {cpu: 2}\nnomad: {region: r}\ndocker: {}\n");
  EXPECT_THAT(job.notes, ::testing::ElementsAre("image is not used by driver local, which shows this machine's /usr",
                                                "the keys under nomad are not used by driver local",
                                                "resources are not used by driver local; limit slots with slot"));
}

}  // namespace
}  // namespace berth::jobs
