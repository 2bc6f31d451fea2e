// SPDX-License-Identifier: Apache-2.0
// Bytes that many requests hold together, and whether there are too many. Single-threaded.
#pragma once

#include <cstdint>

namespace berth::slotd {

class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t most) : most_(most) {}
  [[nodiscard]] bool is_full() const { return held_ >= most_; }

  // Counts bytes for as long as it lives.
  class Held {
   public:
    explicit Held(ByteBudget& budget) : budget_(budget) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { budget_.held_ -= bytes_; }
    void add(std::uint64_t bytes) {
      bytes_ += bytes;
      budget_.held_ += bytes;
    }

   private:
    ByteBudget& budget_;
    std::uint64_t bytes_ = 0;
  };

 private:
  const std::uint64_t most_;
  std::uint64_t held_ = 0;
};

}  // namespace berth::slotd
