// SPDX-License-Identifier: Apache-2.0
#include "jobs/key_groups.hpp"
#include "jobs/limits.hpp"

namespace berth::jobs {
namespace {

const ObjectRule& network_rule() {
  static const ObjectRule rule{{
      {.key = "allow",
       .shape = Shape::text_list,
       .about = "Whom slots may reach, through a proxy of their own: HOST, *.HOST or an address, each with or without "
                ":PORT (else 80 and 443).",
       .required = true,
       .pattern = R"(((\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?)",
       .pattern_in_words = "a list of hosts"},
  }};
  return rule;
}

}  // namespace

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
       .about =
           "none: the slot's own loopback only; full: the container's; {allow: [...]}: that, and the hosts listed.",
       .words = {"none", "full"},
       .object = &network_rule(),
       .default_json = "\"none\""},
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

}  // namespace berth::jobs
