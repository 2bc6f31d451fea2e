// SPDX-License-Identifier: Apache-2.0
// Unpacks a tar below a directory of the workspace. What could lead outside or is no file, directory or link is
// refused: absolute names, "..", names through links, devices, FIFOs. Set-id bits are dropped. Blocking in pieces;
// single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

class TarIn {
 public:
  // `archive`: a seekable file at its start; `target`: a directory.
  TarIn(UniqueFd archive, UniqueFd target);
  ~TarIn();
  TarIn(const TarIn&) = delete;
  TarIn& operator=(const TarIn&) = delete;

  // Does a bounded piece of the work; false when all is done.
  [[nodiscard]] Expected<bool> step();
  [[nodiscard]] std::uint64_t entries() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::slotd
