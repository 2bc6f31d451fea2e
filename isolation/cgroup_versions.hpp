// SPDX-License-Identifier: Apache-2.0
// The two makers of parent groups behind open_cgroup_parent(), with everything they touch passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "isolation/cgroup.hpp"
#include "isolation/cgroup_places.hpp"
#include "isolation/cgroup_tree.hpp"

namespace berth::isolation {

struct CgroupSources {
  std::string self_cgroup;    // text of /proc/self/cgroup
  std::string mountinfo;      // text of /proc/self/mountinfo
  GroupTree* tree = nullptr;  // outlives everything made from it
  std::vector<std::string> delegated_below = delegation_points();
};

// Each fills the cgroup_* fields; nothing where its version has no usable controller, then why_no_cgroup says why.
[[nodiscard]] std::unique_ptr<CgroupParent> open_v1_parent(const std::string& id, const CgroupSources& sources,
                                                           Abilities& abilities);
[[nodiscard]] std::unique_ptr<CgroupParent> open_v2_parent(const std::string& id, const CgroupSources& sources,
                                                           Abilities& abilities);
// The first of the two that gives memory or pids.
[[nodiscard]] std::unique_ptr<CgroupParent> open_cgroup_parent(const std::string& id, const CgroupSources& sources,
                                                               Abilities& abilities);

struct GroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::optional<double> cpu;  // cores
};
// memory is memory + disk of the spec, without overflow.
[[nodiscard]] GroupLimits limits_of_slot(const SlotSpec& slot);

inline constexpr std::uint64_t kCpuPeriodUs = 100'000;
[[nodiscard]] std::uint64_t cpu_quota_us(double cores);  // of each period; at least the kernel's smallest

}  // namespace berth::isolation
