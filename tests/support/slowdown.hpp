// SPDX-License-Identifier: Apache-2.0
// What a sanitizer costs in time and memory, for tests that hold a promise about either.
#pragma once

namespace berth::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSlowdown = 40;
inline constexpr long kSanitizerKb = 512L * 1024;  // 256 MiB of what was freed are kept back, and shadows of it all
#else
inline constexpr int kSlowdown = 1;
inline constexpr long kSanitizerKb = 0;
#endif

}  // namespace berth::testing
