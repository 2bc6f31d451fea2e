// SPDX-License-Identifier: Apache-2.0
// Control groups of the slots, v1 and v2, behind one face. Blocking file operations, short; single-threaded.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"
#include "isolation/plan.hpp"
#include "isolation/room.hpp"

namespace berth::isolation {

// One slot's (or call's) group in every controller that is usable. Destruction removes it if it is empty.
class Cgroup {
 public:
  virtual ~Cgroup() = default;
  [[nodiscard]] virtual Expected<void> add_process(int pid) = 0;
  [[nodiscard]] virtual GroupUsage usage() const = 0;
  virtual void reset_peak() = 0;
  // Group below this one for a single call.
  [[nodiscard]] virtual Expected<std::unique_ptr<Cgroup>> make_child(const std::string& name, std::optional<std::uint64_t> memory_bytes,
                                                                     std::optional<std::uint64_t> pids) = 0;
  // Error when processes are left in it ("busy") or it cannot be removed within a few tries.
  [[nodiscard]] virtual Expected<void> remove() = 0;
};

// The container's parent group, below this process's own group (v1: in each controller). Removed when destroyed.
class CgroupParent {
 public:
  virtual ~CgroupParent() = default;
  // kernel limit of memory = memory + disk of the spec (tmpfs pages count as memory, facts/isolation.md).
  [[nodiscard]] virtual Expected<std::unique_ptr<Cgroup>> make_slot(const std::string& name, const SlotSpec& limits) = 0;
};

// Fills the cgroup_* fields of `abilities`; nothing where no controller can be used (ordinary users, masked /sys).
[[nodiscard]] std::unique_ptr<CgroupParent> open_cgroup_parent(const std::string& container_id, Abilities& abilities);

}  // namespace berth::isolation
