// SPDX-License-Identifier: Apache-2.0
#include "jobs/keys.hpp"

#include "jobs/limits.hpp"

namespace berth::jobs {
namespace {

constexpr std::string_view kNamePattern = "[A-Za-z_][A-Za-z0-9_]*";
constexpr std::string_view kNameInWords = "letters, digits and _, not beginning with a digit";

std::string_view refuse_allow(const Node& value) {
  const bool asks = (value.kind == NodeKind::scalar && value.text == "allow") || find(&value, "allow") != nullptr;
  return asks ? "a list of allowed hosts is not supported yet by this version; use none or full" : "";
}

std::string_view refuse_mounts(const Node& value) {
  if (value.kind == NodeKind::list && value.items.empty()) return {};
  return "host paths and sockets are not mounted into slots; bring files in with inputs and out with outputs";
}

const ObjectRule& containers_rule() {
  static const ObjectRule rule{{
      {.key = "min",
       .shape = Shape::integer,
       .about = "Containers kept even when nobody uses them.",
       .range = {0, kMaxContainers},
       .default_json = "1"},
      {.key = "max",
       .shape = Shape::integer,
       .about = "Containers at most.",
       .range = {1, kMaxContainers},
       .default_json = "1"},
      {.key = "spare",
       .shape = Shape::integer,
       .about = "Warm slots kept free.",
       .range = {0, kMaxContainers * kMaxSlots},
       .default_json = "0"},
  }};
  return rule;
}

const ObjectRule& resources_rule() {
  static const ObjectRule rule{{
      {.key = "cpu", .shape = Shape::number, .about = "Cores of a container.", .range = kCpuRange},
      {.key = "memory", .shape = Shape::size, .about = "Memory of a container.", .range = kMemoryRange},
      {.key = "pids", .shape = Shape::integer, .about = "Processes of a container.", .range = kPidsRange},
  }};
  return rule;
}

const ObjectRule& slot_rule() {
  static const ObjectRule rule{{
      {.key = "cpu",
       .shape = Shape::number,
       .about = "Cores of a slot.",
       .none = true,
       .range = kCpuRange,
       .default_json = "\"none\""},
      {.key = "memory",
       .shape = Shape::size,
       .about = "Memory of a slot's processes.",
       .range = kMemoryRange,
       .default_json = "\"512MiB\""},
      {.key = "pids",
       .shape = Shape::integer,
       .about = "Processes and threads of a slot.",
       .range = kPidsRange,
       .default_json = "128"},
      {.key = "disk",
       .shape = Shape::size,
       .about = "What a slot may write, /workspace and /tmp together.",
       .range = kDiskRange,
       .default_json = "\"256MiB\""},
      {.key = "network",
       .shape = Shape::word,
       .about = "none: the slot's own loopback only; full: the container's.",
       .words = {"none", "full"},
       .default_json = "\"none\"",
       .refuse = refuse_allow},
      {.key = "storage",
       .shape = Shape::word,
       .about = "memory: a tmpfs; host: a directory that outlives the slot.",
       .words = {"memory", "host"},
       .default_json = "\"memory\""},
      {.key = "output_kill",
       .shape = Shape::size,
       .about = "Kill a command that writes more than this.",
       .none = true,
       .range = kOutputRange,
       .default_json = "\"none\""},
  }};
  return rule;
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

const ObjectRule& lease_rule() {
  static const ObjectRule rule{{
      {.key = "ttl",
       .shape = Shape::duration,
       .about = "How long a trajectory may keep its slot at most.",
       .none = true,
       .range = kLeaseRange,
       .default_json = "\"none\""},
      {.key = "idle",
       .shape = Shape::duration,
       .about = "A slot that is not used for so long is taken back.",
       .range = kLeaseRange,
       .default_json = "\"10m\""},
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

const ObjectRule& docker_rule() {
  static const ObjectRule rule{};
  return rule;
}

const ObjectRule& constraint_rule() {
  static const ObjectRule rule{{
      {.key = "attribute", .about = "A node attribute such as ${attr.kernel.name}."},
      {.key = "operator", .about = "How to compare, = when not named."},
      {.key = "value", .shape = Shape::scalar, .about = "What to compare with."},
  }};
  return rule;
}

const ObjectRule& affinity_rule() {
  static const ObjectRule rule = [] {
    ObjectRule all = constraint_rule();
    all.keys.push_back(
        {.key = "weight", .shape = Shape::integer, .about = "How much it counts.", .range = {-100, 100}});
    return all;
  }();
  return rule;
}

const ObjectRule& nomad_rule() {
  static const ObjectRule rule{{
      {.key = "task_driver",
       .shape = Shape::word,
       .about = "Nomad's own docker driver, or Berth's.",
       .words = {"docker", "berth"},
       .default_json = "\"docker\""},
      {.key = "datacenters", .shape = Shape::text_list, .about = "Where the job may run."},
      {.key = "namespace", .about = "Nomad namespace."},
      {.key = "region", .about = "Nomad region."},
      {.key = "node_pool", .about = "Nomad node pool."},
      {.key = "priority", .shape = Shape::integer, .about = "Nomad priority.", .range = {1, 100}},
      {.key = "constraints",
       .shape = Shape::object_list,
       .about = "Which nodes may run it.",
       .object = &constraint_rule()},
      {.key = "affinities",
       .shape = Shape::object_list,
       .about = "Which nodes should run it.",
       .object = &affinity_rule()},
      {.key = "meta",
       .shape = Shape::scalar_map,
       .about = "Nomad meta values.",
       .pattern = "[^\\s]+",
       .pattern_in_words = "text without spaces"},
      {.key = "network_mode", .about = "Nomad network mode."},
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
