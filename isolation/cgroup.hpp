// SPDX-License-Identifier: Apache-2.0
// Control groups of the slots, v1 and v2, behind one face. Single-threaded; file operations of microseconds, but for
// add_process().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"
#include "isolation/plan.hpp"
#include "isolation/room.hpp"

namespace berth::isolation {

// One slot's (or call's) group in every controller that is usable. Destruction removes it if it is empty.
class Cgroup {
 public:
  virtual ~Cgroup() = default;
  // Blocks for a grace period of the kernel (about 15 ms) when no process was moved lately: not for an event loop.
  [[nodiscard]] virtual Expected<void> add_process(int pid) = 0;
  // Files, one per tree of controllers, by which a process with one thread joins: it writes "0" into each. On v1 these
  // are the `tasks` files: moving oneself as a single thread needs no RCU grace period (0.04 ms instead of 7), and the
  // caller's event loop does not wait. On v2: cgroup.procs.
  [[nodiscard]] virtual Expected<std::vector<UniqueFd>> join_fds() const = 0;
  [[nodiscard]] virtual GroupUsage usage() const = 0;
  // Only what it says of memory: what every call needs, in half the reads.
  [[nodiscard]] virtual GroupUsage memory_usage() const = 0;
  // Where the kernel cannot forget a peak (v2 before 6.12), usage() names one only while it is above the forgotten one.
  virtual void reset_peak() = 0;
  // Group below this one for a single call.
  [[nodiscard]] virtual Expected<std::unique_ptr<Cgroup>> make_child(const std::string& name,
                                                                     std::optional<std::uint64_t> memory_bytes,
                                                                     std::optional<std::uint64_t> pids) = 0;
  // Error when processes are left in it ("busy") or it cannot be removed within a few tries.
  [[nodiscard]] virtual Expected<void> remove() = 0;
};

// The container's parent group, in each usable controller: `BASE/berth/CONTAINER_ID`, BASE being a delegated group
// bound into the container (its mount's root ends in "/slots"), else this process's own group. Removed when destroyed.
// While it lives it holds a lock on its directory: what a crashed slot server left is told from what another one is
// using by trying that lock.
class CgroupParent {
 public:
  virtual ~CgroupParent() = default;
  // kernel limit of memory = memory + disk of the spec (tmpfs pages count as memory, facts/isolation.md).
  [[nodiscard]] virtual Expected<std::unique_ptr<Cgroup>> make_slot(const std::string& name,
                                                                    const SlotSpec& limits) = 0;
};

// What a slot's group is told: a measure that is not in force (measures_off) is no limit, written as the largest
// number.
inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
[[nodiscard]] SlotSpec limits_in_force(const SlotSpec& slot, const IsolationPlan& plan);

// Removes parents beside it that nobody locks and no process is in, then makes this one. Fills the cgroup_* fields of
// `abilities`; nothing where no controller can be used (ordinary users, masked /sys); then why_no_cgroup says why and
// what to do.
[[nodiscard]] std::unique_ptr<CgroupParent> open_cgroup_parent(const std::string& container_id, Abilities& abilities);

}  // namespace berth::isolation
