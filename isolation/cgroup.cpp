// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fd.hpp"
#include "isolation/cgroup_versions.hpp"

namespace berth::isolation {

GroupLimits limits_of_slot(const SlotSpec& slot) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 2;
  GroupLimits limits{.memory_bytes = std::nullopt, .pids = std::nullopt, .cpu = slot.cpu};
  if (slot.memory_bytes != kUnlimited) {
    limits.memory_bytes = std::min(slot.memory_bytes, kMost) + std::min(slot.disk_bytes, kMost);
  }
  if (slot.pids != kUnlimited) limits.pids = slot.pids;
  return limits;
}

SlotSpec limits_in_force(const SlotSpec& slot, const IsolationPlan& plan) {
  SlotSpec limits = slot;
  if (!has(plan.in_force, Measure::memory_limit)) limits.memory_bytes = kUnlimited;
  if (!has(plan.in_force, Measure::pids_limit)) limits.pids = kUnlimited;
  if (!has(plan.in_force, Measure::cpu_limit)) limits.cpu.reset();
  return limits;
}

std::uint64_t cpu_quota_us(double cores) {
  constexpr std::uint64_t kLeastUs = 1'000;
  return std::max(kLeastUs, static_cast<std::uint64_t>(std::llround(cores * kCpuPeriodUs)));
}

std::unique_ptr<CgroupParent> open_cgroup_parent(const std::string& id, const CgroupSources& sources,
                                                 Abilities& abilities) {
  if (auto parent = open_v1_parent(id, sources, abilities)) return parent;
  const std::string why_not_v1 = abilities.why_no_cgroup;
  auto parent = open_v2_parent(id, sources, abilities);
  if (parent) abilities.why_no_cgroup.clear();
  if (!parent && abilities.why_no_cgroup.empty()) abilities.why_no_cgroup = why_not_v1;
  if (!parent && abilities.why_no_cgroup.empty()) abilities.why_no_cgroup = "no control groups are mounted here";
  return parent;
}

std::unique_ptr<CgroupParent> open_cgroup_parent(const std::string& container_id, Abilities& abilities) {
  static GroupTree kernel;
  const auto self_cgroup = read_file("/proc/self/cgroup");
  const auto mountinfo = read_file("/proc/self/mountinfo");
  if (!self_cgroup || !mountinfo) {
    abilities.why_no_cgroup = "/proc/self/cgroup cannot be read";
    return nullptr;
  }
  return open_cgroup_parent(container_id, CgroupSources{*self_cgroup, *mountinfo, &kernel, delegation_points()},
                            abilities);
}

}  // namespace berth::isolation
