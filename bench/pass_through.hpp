// SPDX-License-Identifier: Apache-2.0
// The least a program between caller and slotd can cost: a bare Asio relay that copies bytes both ways, from a port of
// 127.0.0.1.
#pragma once

#include <cstdint>
#include <memory>

#include "bench/caller.hpp"

namespace berth::bench {

class PassThrough {
 public:
  explicit PassThrough(const Endpoint& upstream);
  ~PassThrough();
  PassThrough(const PassThrough&) = delete;
  PassThrough& operator=(const PassThrough&) = delete;
  [[nodiscard]] std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::bench
