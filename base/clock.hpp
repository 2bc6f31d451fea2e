// SPDX-License-Identifier: Apache-2.0
// Time is a parameter: components take a Clock (or a TimePoint) so that tests can hold it still.
#pragma once

#include <chrono>

namespace berth {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// The monotonic clock, for what is timed against the world (sockets, children) and so is no subject of a held clock.
[[nodiscard]] inline TimePoint now() {
  return std::chrono::steady_clock::now();
}

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return berth::now(); }
};

// Moves only when told to. Not thread-safe: for single-threaded tests.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  TimePoint now_{};
};

}  // namespace berth
