// SPDX-License-Identifier: Apache-2.0
// The ranges of a job file's numbers, and bounds of what it may name.
#pragma once

#include <cstddef>

#include "jobs/keys.hpp"

namespace berth::jobs {

inline constexpr double kMiB = 1024.0 * 1024.0;
inline constexpr double kTiB = kMiB * 1024.0 * 1024.0;

inline constexpr double kMaxContainers = 10'000;
inline constexpr double kMaxSlots = 1'000;
inline constexpr double kMaxTrajectories = 1'000'000;
inline constexpr Range kCpuRange{0.01, 4096};
inline constexpr Range kMemoryRange{4 * kMiB, 64 * kTiB};
inline constexpr Range kPidsRange{4, 1'000'000};
inline constexpr Range kDiskRange{kMiB, 64 * kTiB};
inline constexpr Range kOutputRange{1, 64 * kTiB};
inline constexpr Range kTimeoutRange{0.001, 3600};  // wire.md 1.12
inline constexpr Range kLeaseRange{1, 365.0 * 86400};

inline constexpr std::size_t kMaxJsonlBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxItemBytes = std::size_t{2} << 20;  // as an element of a batch (wire.md 1.11)
inline constexpr std::size_t kMaxNameBytes = 200;                   // of a trajectory

}  // namespace berth::jobs
