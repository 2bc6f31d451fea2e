// SPDX-License-Identifier: Apache-2.0
// The least a program between caller and slotd can cost: a bare Asio relay that copies bytes both ways.
#pragma once

#include <cstdint>
#include <memory>

namespace berth::bench {

class PassThrough {
 public:
  explicit PassThrough(std::uint16_t upstream_port);
  ~PassThrough();
  PassThrough(const PassThrough&) = delete;
  PassThrough& operator=(const PassThrough&) = delete;
  [[nodiscard]] std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::bench
