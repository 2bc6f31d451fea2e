// SPDX-License-Identifier: Apache-2.0
// A tree of the workspace as a pax tar, piece by piece: sorted, names relative to the tree's root, links stored as
// links; sockets, FIFOs and devices are left out. Blocking in pieces; single-threaded, movable between threads.
#pragma once

#include <string>
#include <utility>

#include "base/fd.hpp"
#include "berth/error.hpp"
#include "slotd/files/tar_writer.hpp"
#include "slotd/files/tree_walk.hpp"

namespace berth::slotd {

class TarOut {
 public:
  // `root`: a directory, readable.
  explicit TarOut(UniqueFd root) : walk_(std::move(root)), writer_(false) {}

  // Does a bounded piece of the work; false when there are `enough` bytes to take, or all is done. A file that shrinks
  // meanwhile is padded with zeroes; a directory that cannot be read is an error, never a hole.
  [[nodiscard]] Expected<bool> step(std::size_t enough);
  [[nodiscard]] std::string take() { return std::exchange(writer_.pending(), {}); }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  [[nodiscard]] Expected<void> add(const TreeWalk::Entry& entry);

  TreeWalk walk_;
  TarWriter writer_;
  bool complete_ = false;
};

}  // namespace berth::slotd
