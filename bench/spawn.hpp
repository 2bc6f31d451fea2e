// SPDX-License-Identifier: Apache-2.0
// The yardstick: `sh -c true` by posix_spawn, without any isolation, off the same files as what it is compared with:
// how the kernel holds a file (in large or small pieces, as it was read or written) changes a spawn by a third.
#pragma once

#include <string>
#include <vector>

#include "berth/error.hpp"

namespace berth::bench {

// `root`: the system whose shell is run, "/" for this machine's own; another one needs root's rights.
// Milliseconds of each of `count` runs, one after the other.
[[nodiscard]] Expected<std::vector<double>> spawn_serially(int count, const std::string& root);
// Runs a second with `threads` threads that share `count` runs.
[[nodiscard]] Expected<double> spawn_rate(int count, unsigned threads, const std::string& root);

}  // namespace berth::bench
