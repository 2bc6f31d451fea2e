// SPDX-License-Identifier: Apache-2.0
// What a slot sees at the top of its root, as data: decided once per container, the same for all its slots.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "berth/error.hpp"

namespace berth::isolation {

struct LayoutEntry {
  enum class Kind : std::uint8_t {
    link,       // symbolic link to `source`
    directory,  // empty and writable
    system,     // the directory `source` of the machine or image
    shared,     // the same, without any protection: only when private_root is dropped
  };
  Kind kind{};
  std::string name;  // below the slot's root, e.g. "usr"
  std::string source;
  unsigned mode = 0755;
  bool layered = false;  // directory: what setup steps write there is seen by all slots
};

struct LayoutOptions {
  std::string rootfs;    // empty: the machine's /usr and a minimal /etc
  std::string work_dir;  // gets `etc`
  bool private_root = true;
};

// Makes work_dir/etc (and copies of directories that cannot be shown in place) and names all entries. Blocking.
[[nodiscard]] Expected<std::vector<LayoutEntry>> make_layout(const LayoutOptions& options);

// Copies the allow-list of /etc below `source` to `target` (made anew): nothing that only root may read, no key, no
// password; passwd and group without the machine's people.
[[nodiscard]] Expected<void> copy_minimal_etc(const std::string& source, const std::string& target);

// Copies a directory with owners and modes, leaving out what is mounted below it. `target` is made anew.
[[nodiscard]] Expected<void> copy_directory(const std::string& source, const std::string& target);

}  // namespace berth::isolation
