// SPDX-License-Identifier: Apache-2.0
#include "jobs/keys.hpp"

#include "jobs/key_groups.hpp"
#include "jobs/limits.hpp"

namespace berth::jobs {
namespace {

constexpr std::string_view kNamePattern = "[A-Za-z_][A-Za-z0-9_]*";
constexpr std::string_view kNameInWords = "letters, digits and _, not beginning with a digit";

std::string_view refuse_mounts(const Node& value) {
  if (value.kind == NodeKind::list && value.items.empty()) return {};
  return "host paths and sockets are not mounted into slots; bring files in with inputs and out with outputs";
}

const ObjectRule& input_rule() {
  static const ObjectRule rule{{
      {.key = "from", .about = "Host file or folder, relative to the job file.", .required = true},
      {.key = "to", .about = "Where it goes in each slot: /workspace or below.", .required = true},
  }};
  return rule;
}

const ObjectRule& output_rule() {
  static const ObjectRule rule{{
      {.key = "from", .about = "File or folder of the slot, relative to /workspace.", .required = true},
      {.key = "to", .about = "Where it goes, relative to the job file; ending in / it is a folder.", .required = true},
      {.key = "required",
       .shape = Shape::flag,
       .about = "Whether its absence fails the trajectory.",
       .default_json = "false"},
  }};
  return rule;
}

const ObjectRule& trajectories_rule() {
  static const ObjectRule rule{{
      {.key = "from", .about = "JSONL file, one trajectory a line; its fields are {{item.NAME}}.", .required = true},
  }};
  return rule;
}

const ObjectRule& expect_rule() {
  static const ObjectRule rule{{
      {.key = "output", .shape = Shape::scalar, .about = "The whole output, space at both ends left out."},
      {.key = "contains", .shape = Shape::scalar, .about = "Text that the output holds."},
      {.key = "matches", .shape = Shape::scalar, .about = "An RE2 pattern that matches somewhere in the output."},
      {.key = "exit_code", .shape = Shape::integer, .about = "The exit code; 0 when not named.", .range = {0, 255}},
  }};
  return rule;
}

const ObjectRule& step_rule() {
  static const ObjectRule rule{{
      {.key = "name", .about = "What the step is called in results.", .required = true},
      {.key = "tool", .about = "exec, bash, read_file or write_file.", .required = true},
      {.key = "args", .shape = Shape::json_map, .about = "The tool's arguments.", .default_json = "{}"},
      {.key = "env",
       .shape = Shape::scalar_map,
       .about = "Environment variables of this step.",
       .pattern = kNamePattern,
       .pattern_in_words = kNameInWords,
       .default_json = "{}"},
      {.key = "timeout",
       .shape = Shape::duration,
       .about = "Time limit of the command.",
       .range = kTimeoutRange,
       .default_json = "\"30s\""},
      {.key = "expect",
       .shape = Shape::object,
       .about = "What the result must be.",
       .none = true,
       .object = &expect_rule(),
       .default_json = "\"none\""},
      {.key = "continue",
       .shape = Shape::flag,
       .about = "Go on with the trajectory when this step fails.",
       .default_json = "false"},
  }};
  return rule;
}

}  // namespace

const ObjectRule& job_rule() {
  static const ObjectRule rule{{
      {.key = "job",
       .about = "The name of the job.",
       .required = true,
       .pattern = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
       .pattern_in_words = "1 to 63 lower-case letters, digits and -, - neither first nor last"},
      {.key = "driver",
       .shape = Shape::word,
       .about = "What runs the containers.",
       .words = {"local", "docker", "nomad"},
       .default_json = "\"local\""},
      {.key = "image", .about = "Container image; drivers docker and nomad."},
      {.key = "rootfs", .about = "Driver local: a folder to show instead of the machine's own /usr."},
      {.key = "containers", .shape = Shape::object, .about = "How many containers.", .object = &containers_rule()},
      {.key = "slots",
       .shape = Shape::integer,
       .about = "Slots of each container.",
       .range = {1, kMaxSlots},
       .default_json = "10"},
      {.key = "resources",
       .shape = Shape::object,
       .about = "Limits of a container.",
       .none = true,
       .object = &resources_rule(),
       .default_json = "\"none\""},
      {.key = "slot", .shape = Shape::object, .about = "Limits of a slot.", .object = &slot_rule()},
      {.key = "isolation",
       .shape = Shape::word,
       .about = "strict: refuse to run with less; best-effort: report what is missing; none.",
       .words = {"strict", "best-effort", "none"},
       .default_json = "\"strict\""},
      {.key = "env",
       .shape = Shape::scalar_map,
       .about = "Environment variables of every command.",
       .pattern = kNamePattern,
       .pattern_in_words = kNameInWords,
       .default_json = "{}"},
      {.key = "setup",
       .shape = Shape::text_list,
       .about = "Commands run once per container, in a layer below all its slots.",
       .default_json = "[]"},
      {.key = "inputs",
       .shape = Shape::object_list,
       .about = "Host files put into each slot when it is acquired.",
       .object = &input_rule(),
       .default_json = "[]"},
      {.key = "outputs",
       .shape = Shape::object_list,
       .about = "Slot files brought back when the steps are done.",
       .object = &output_rule(),
       .default_json = "[]"},
      {.key = "mounts",
       .shape = Shape::empty_list,
       .about = "Reserved; must be empty.",
       .default_json = "[]",
       .refuse = refuse_mounts},
      {.key = "lease",
       .shape = Shape::object,
       .about = "How long a trajectory keeps its slot.",
       .object = &lease_rule()},
      {.key = "trajectories",
       .shape = Shape::integer,
       .about = "How many, or {from: FILE.jsonl}.",
       .range = {1, kMaxTrajectories},
       .object = &trajectories_rule(),
       .default_json = "1"},
      {.key = "vars",
       .shape = Shape::scalar_map,
       .about = "Values for {{vars.NAME}}, meant for --set.",
       .pattern = "[A-Za-z_][A-Za-z0-9_-]*",
       .pattern_in_words = "letters, digits, _ and -, beginning with a letter or _",
       .default_json = "{}"},
      {.key = "steps",
       .shape = Shape::object_list,
       .about = "What each trajectory does, in order, in its own slot.",
       .object = &step_rule(),
       .default_json = "[]"},
      {.key = "docker", .shape = Shape::object, .about = "Settings of driver docker.", .object = &docker_rule()},
      {.key = "nomad", .shape = Shape::object, .about = "Settings of driver nomad.", .object = &nomad_rule()},
      {.key = "insecure",
       .shape = Shape::flag,
       .about = "Accept a slot server on another machine without TLS.",
       .default_json = "false"},
  }};
  return rule;
}

}  // namespace berth::jobs
