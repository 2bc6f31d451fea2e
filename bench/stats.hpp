// SPDX-License-Identifier: Apache-2.0
// Numbers out of samples. Times are milliseconds throughout the measurements.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

namespace berth::bench {

// The value below which `share` (0..1) of the samples lie; 0 without samples.
[[nodiscard]] double percentile(std::vector<double> samples, double share);
[[nodiscard]] inline double median(std::vector<double> samples) {
  return percentile(std::move(samples), 0.5);
}

class Stopwatch {
 public:
  [[nodiscard]] double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }
  void restart() { start_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace berth::bench
