// SPDX-License-Identifier: Apache-2.0
// A tree of the workspace as a pax tar, piece by piece: sorted, names relative to the tree's root, links stored as
// links; sockets, FIFOs and devices are left out. Blocking in small pieces; single-threaded.
#pragma once

#include <memory>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

struct archive;

namespace berth::slotd {

class TarOut {
 public:
  // `root`: a directory, readable.
  explicit TarOut(UniqueFd root);
  ~TarOut();
  TarOut(const TarOut&) = delete;
  TarOut& operator=(const TarOut&) = delete;

  // About `at_least` bytes more of the archive; empty at its end. A file that shrinks meanwhile is padded with zeroes.
  [[nodiscard]] Expected<std::string> next(std::size_t at_least);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::slotd
