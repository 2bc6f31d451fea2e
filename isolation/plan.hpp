// SPDX-License-Identifier: Apache-2.0
// The plan of isolation measures as data (design section 5): what is wanted, what is in force, and what is missing.
// Tests drop one measure at a time and see its named test fail; docs/protections.md is the table.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::isolation {

// One line each in docs/protections.md. Names: to_string(), e.g. "user_namespace".
enum class Measure : std::uint8_t {
  user_namespace,
  mount_namespace,
  pid_namespace,
  ipc_namespace,
  uts_namespace,
  network_namespace,
  private_root,  // own copy-on-write root instead of the host's tree
  fresh_proc,    // own procfs
  masked_proc,   // dangerous parts of it read-only or covered
  minimal_dev,   // the fixed device list
  private_tmp,
  capabilities,  // bounding set reduced to the committed list
  no_new_privs,
  seccomp,
  hidden_keeper,       // keeper non-dumpable, its program file sealed
  new_session,         // setsid before exec: no controlling terminal shared
  clean_env,           // only the call's variables
  closed_descriptors,  // 0, 1, 2 only
  memory_limit,
  pids_limit,
  cpu_limit,
  disk_limit,
  oom_score,    // commands at 500, so that the keeper is never the victim
  shifted_ids,  // slot ids are host ids of their own (root of the machine), not the container's
};
inline constexpr std::size_t kMeasureCount = 24;

using MeasureSet = std::bitset<kMeasureCount>;

[[nodiscard]] std::string_view to_string(Measure measure);
[[nodiscard]] std::optional<Measure> measure_from_string(std::string_view name);
[[nodiscard]] inline bool has(const MeasureSet& set, Measure measure) {
  return set.test(static_cast<std::size_t>(measure));
}

// What this machine and process can enforce, found out by trying (probe.cpp), never by version numbers.
struct Abilities {
  bool user_namespaces = false;            // with mount, pid, ipc, uts and network namespaces in it
  bool many_ids = false;                   // a map of 65,536 ids can be written; else one id
  bool fresh_proc = false;                 // a new procfs in it (the container's system paths are not masked)
  bool overlay_in_user_namespace = false;  // copy on write over system directories
  bool removable_lower_dirs = false;       // a directory of the image can be removed over a tmpfs upper (not on 6.1)
  bool idmapped_mounts = false;            // root of the machine: shifted ids with a writable system
  bool root_user = false;                  // effective uid 0, whatever its capabilities
  bool is_root = false;                    // and CAP_SYS_ADMIN: namespaces and mounts work without a user namespace
  bool loopback = false;                   // without a user namespace: an own network's loopback can be raised
  bool seccomp = false;
  bool cgroup_memory = false;
  bool cgroup_pids = false;
  bool cgroup_cpu = false;
  int cgroup_version = 0;              // 0: none usable, 1, 2
  std::string why_no_user_namespaces;  // one sentence with the way out; empty when they work
  std::string why_no_fresh_proc;       // likewise
  std::string why_no_cgroup;           // likewise
};

struct IsolationPlan {
  MeasureSet wanted;
  MeasureSet in_force;             // wanted and available
  int rung = 0;                    // 1 user namespaces, 2 CAP_SYS_ADMIN, 3 none
  bool writable_root = false;      // system files can be changed (copy on write)
  std::vector<std::string> notes;  // what is missing though wanted, in sentences for people
};

// Decides what will be in force. A measure that rests on one that is off (private_root on mount_namespace) goes with
// it. Under strict: error code "isolation" whose message says what is missing and whose hint says which command or
// setting allows it. `spec.measures_off` is refused under strict. Pure function.
[[nodiscard]] Expected<IsolationPlan> make_plan(const ContainerSpec& spec, const Abilities& abilities);

}  // namespace berth::isolation
