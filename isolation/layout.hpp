// SPDX-License-Identifier: Apache-2.0
// What a slot sees at the top of its root, as data: decided once per container, the same for all its slots.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/mounts.hpp"
#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::isolation {

struct LayoutEntry {
  enum class Kind : std::uint8_t {
    link,       // symbolic link to `source`
    directory,  // empty and writable
    system,     // the directory `source` of the machine or image
    file,       // the regular file `source` of the image
    shared,     // the same as system, without any protection: only when private_root is dropped
  };
  Kind kind{};
  std::string name;  // below the slot's root, e.g. "usr"
  std::string source;
  unsigned mode = 0755;
  bool layered = false;  // directory: what setup steps write there is seen by all slots
};

struct LayoutOptions {
  RootMode root = RootMode::machine;
  std::string rootfs;    // root machine; empty: the machine's /usr and a minimal /etc
  std::string work_dir;  // gets `etc` and `copies`
  bool private_root = true;
};

// Makes work_dir/etc (and copies of directories that cannot be shown in place) and names all entries. Blocking.
// Root container: everything at the top of /, but for what a slot has of its own and the directory that holds work_dir,
// which must therefore be none of the image's (error "config").
[[nodiscard]] Expected<std::vector<LayoutEntry>> make_layout(const LayoutOptions& options);

// Copies the allow-list of /etc below `source` to `target` (made anew): nothing that only root may read, no key, no
// password; passwd and group without the machine's people.
[[nodiscard]] Expected<void> copy_minimal_etc(const std::string& source, const std::string& target);

inline constexpr std::uint64_t kMostCopiedBytes = std::uint64_t{4} << 30;

// Copies a directory with owners, modes and times, leaving out what is mounted below it, and what is neither a regular
// file, a directory nor a link. `target` is made anew. Error "config" past `most_bytes`.
[[nodiscard]] Expected<void> copy_directory(const std::string& source, const std::string& target,
                                            std::uint64_t most_bytes = kMostCopiedBytes);

// Whether one of the mount points is strictly below `directory`.
[[nodiscard]] bool has_mounts_below(const std::vector<Mount>& mounts, const std::string& directory);

}  // namespace berth::isolation
