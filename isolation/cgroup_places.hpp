// SPDX-License-Identifier: Apache-2.0
// Where control groups are, read from the text of /proc/self/cgroup and /proc/self/mountinfo. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::isolation {

// One mounted hierarchy in which this process may look for its groups.
struct GroupPlace {
  std::string directory;  // the delegated group, else this process's own
  std::string mount_point;
  std::vector<std::string> controllers;  // v1 only
  bool delegated = false;                // made for us from outside: the root of its mount ends in "/slots"
};

// What the mount points begin with at which a delegated group is bound for us. Elsewhere such a mount is somebody
// else's: an engine has its containers' mounts among the machine's own while it copies files into them.
[[nodiscard]] const std::vector<std::string>& delegation_points();

// v1 hierarchies that hold at least one of memory, pids, cpu, cpuacct; each once, a delegated one first choice.
[[nodiscard]] std::vector<GroupPlace> find_v1_places(
    std::string_view self_cgroup, std::string_view mountinfo,
    const std::vector<std::string>& delegated_below = delegation_points());
// The v2 hierarchy: none or one.
[[nodiscard]] std::vector<GroupPlace> find_v2_places(
    std::string_view self_cgroup, std::string_view mountinfo,
    const std::vector<std::string>& delegated_below = delegation_points());

}  // namespace berth::isolation
