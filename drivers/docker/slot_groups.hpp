// SPDX-License-Identifier: Apache-2.0
// Control groups of this machine that a container's slots are limited in (facts of version 1: GROUP/slots is given into
// the container, where slotd makes one group a slot; the container itself is placed beside it). Blocking, but only by
// what the kernel keeps in memory.
//
//   <hierarchy>/berth/ID/slots/slot_0 ..
//   <hierarchy>/berth/ID/<engine's id>
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"
#include "drivers/docker/create_request.hpp"

namespace berth::drivers::docker {

struct Hierarchy {
  std::string folder;
  std::vector<std::string> controllers;  // of version 1; none: a named one, or the one of version 2
};
// All that are mounted, each once. A hierarchy has more than one mount where an engine shows a part of it in a
// container: for the time of a copy it does so on the machine itself. The one that shows it whole counts, else the
// first.
[[nodiscard]] std::vector<Hierarchy> read_hierarchies(std::string_view mountinfo);
// Those that this process sees; none where that cannot be read.
[[nodiscard]] std::vector<Hierarchy> own_hierarchies();

// Owns the groups: they go with it. Each is locked (flock) meanwhile, as slot servers lock theirs: what nobody holds,
// the next server that starts on this machine sweeps away.
class SlotGroups {
 public:
  // Nothing where this process may not make any; slotd then says which limits are missing. `limits` of the whole
  // container are set on the group that holds both.
  [[nodiscard]] static std::optional<SlotGroups> make(const Wanted& limits, std::vector<Hierarchy> hierarchies);
  // What agents that were killed left, and nobody holds: groups without a process go.
  static void sweep(const std::vector<Hierarchy>& hierarchies);
  // Those of a container that this process did not make.
  [[nodiscard]] static SlotGroups left_by(const std::string& id, std::vector<Hierarchy> hierarchies);

  SlotGroups(SlotGroups&& other) noexcept;
  SlotGroups& operator=(SlotGroups&&) = delete;
  ~SlotGroups();

  [[nodiscard]] std::string parent() const { return "/berth/" + id_; }
  [[nodiscard]] std::vector<HostMount> mounts() const;
  // Of all that runs in the container.
  [[nodiscard]] Usage usage() const;
  // Whether nothing is left; a group whose last process is still dying stays for a moment.
  [[nodiscard]] bool remove();

 private:
  SlotGroups(std::string id, std::vector<Hierarchy> hierarchies);
  [[nodiscard]] bool make_folders(const Wanted& limits);
  [[nodiscard]] bool make_and_hold(const std::string& family, const std::string& group);

  std::string id_;  // empty: moved away, or removed
  std::vector<Hierarchy> hierarchies_;
  std::vector<UniqueFd> locks_;
};

}  // namespace berth::drivers::docker
