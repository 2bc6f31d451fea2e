// SPDX-License-Identifier: Apache-2.0
#include "jobs/key_groups.hpp"

namespace berth::jobs {
namespace {

// The machine's own network, with every service on its loopback.
std::string_view refuse_host_network(const Node& value) {
  if (value.text != "host") return {};
  return "network host is the machine's own, loopback included; give the container a network of the engine";
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

}  // namespace

const ObjectRule& docker_rule() {
  static const ObjectRule rule{{
      {.key = "network",
       .about = "The engine's network for containers whose slots have one, or that have setup.",
       .pattern = "[A-Za-z0-9][A-Za-z0-9_.-]{0,127}",
       .pattern_in_words = "the name of a network of the engine",
       .default_json = "\"bridge\"",
       .refuse = refuse_host_network},
  }};
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

}  // namespace berth::jobs
