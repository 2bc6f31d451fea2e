// SPDX-License-Identifier: Apache-2.0
// What a sanitizer costs in time, for tests that hold a promise about time.
#pragma once

namespace berth::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSlowdown = 40;
#else
inline constexpr int kSlowdown = 1;
#endif

}  // namespace berth::testing
