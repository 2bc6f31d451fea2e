// SPDX-License-Identifier: Apache-2.0
// A log whose every line begins with the time at which the engine heard it. The place behind a line is its time and a
// nanosecond, as the engine takes it: "1700000000.000000001". Pure.
#pragma once

#include <string>
#include <string_view>

#include "drivers/driver.hpp"

namespace berth::drivers::docker {

// Empty is the beginning.
[[nodiscard]] bool is_log_place(std::string_view text);

// The lines without their times, and the place behind the last; `after` where there is none.
[[nodiscard]] LogPart without_stamps(std::string_view log, std::string after);

}  // namespace berth::drivers::docker
