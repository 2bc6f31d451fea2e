// SPDX-License-Identifier: Apache-2.0
// Unpacks a tar below a directory of the workspace. What could lead outside or is no file, directory or link is
// refused: absolute names, "..", names through links, devices, FIFOs. Set-id bits are dropped. Blocking in pieces;
// single-threaded, movable between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

struct UnpackLimits {
  std::uint64_t max_entries = 1'000'000;
  std::uint64_t max_bytes = UINT64_MAX;  // that all members together say they hold
};

class TarIn {
 public:
  // `archive`: a seekable file at its start; `target`: a directory. Beyond the limits the error is "too_many" or
  // "too_large", told by a member's head before any of its content is written.
  TarIn(UniqueFd archive, UniqueFd target, UnpackLimits limits = {});
  ~TarIn();
  TarIn(const TarIn&) = delete;
  TarIn& operator=(const TarIn&) = delete;

  // Does a bounded piece of the work; false when all is done.
  [[nodiscard]] Expected<bool> step();
  [[nodiscard]] std::uint64_t entries() const;
  // After an error: removes what was made so far. Files that were replaced stay replaced.
  void undo();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::slotd
