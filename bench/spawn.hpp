// SPDX-License-Identifier: Apache-2.0
// The yardstick: `sh -c true` by posix_spawn, without any isolation.
#pragma once

#include <vector>

#include "berth/error.hpp"

namespace berth::bench {

// Milliseconds of each of `count` runs, one after the other.
[[nodiscard]] Expected<std::vector<double>> spawn_serially(int count);
// Runs a second with `threads` threads that share `count` runs.
[[nodiscard]] Expected<double> spawn_rate(int count, unsigned threads);

}  // namespace berth::bench
