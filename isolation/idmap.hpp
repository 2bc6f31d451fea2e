// SPDX-License-Identifier: Apache-2.0
// Which host ids a slot's ids are, and mounts seen through such a map. Blocking calls, short; single-threaded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::isolation {

enum class IdMode : std::uint8_t {
  none,      // no user namespace
  shifted,   // 0 .. 65535 are a range of host ids that nobody else uses (root of the machine)
  identity,  // 0 .. 65535 are themselves (root inside a container)
  single,    // 0 is this process's own user (ordinary users)
};

inline constexpr std::uint32_t kIdsPerSlot = 65536;

// Ranges of host ids for all slots of one container. They lie in 0x70000000 .. 0x7FFCFFFF, which Linux distributions
// and systemd leave to nobody (4,093 ranges), and are held by byte locks on one file of the machine (/run/berth-ids),
// which the kernel drops with the process: two containers share ranges only when that file cannot be had or no block is
// free. Then the block follows from the container's name, so that a collision is at least rare.
class IdBlock {
 public:
  // `ranges` in a row; `lock_file` is a parameter for tests.
  [[nodiscard]] static IdBlock take(const std::string& container_id, unsigned ranges,
                                    const std::string& lock_file = "/run/berth-ids");
  [[nodiscard]] std::uint32_t base_of(unsigned range) const { return first_ + range * kIdsPerSlot; }
  [[nodiscard]] bool is_exclusive() const { return static_cast<bool>(lock_); }

 private:
  std::uint32_t first_ = 0;
  UniqueFd lock_;
};

// Writes both maps of a new user namespace whose first process is `pid`. `base` counts for shifted only.
[[nodiscard]] Expected<void> write_id_maps(pid_t pid, IdMode mode, std::uint32_t base);

// The user namespace of a process, to make id-mapped mounts with.
[[nodiscard]] Expected<UniqueFd> open_user_namespace(pid_t pid);

struct TreeOptions {
  int user_namespace = -1;  // -1: ids as they are
  bool recursive = false;   // with the mounts below; those cannot be id-mapped as a rule
};
// A detached copy of the mount at `path`, nosuid and nodev, to be attached in a slot. Needs CAP_SYS_ADMIN.
[[nodiscard]] Expected<UniqueFd> clone_tree(const std::string& path, TreeOptions options);

}  // namespace berth::isolation
