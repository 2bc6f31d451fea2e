// SPDX-License-Identifier: Apache-2.0
// What berth-slotd says once, when it serves or when it cannot.
#pragma once

#include <cstddef>
#include <string>

#include "berth/error.hpp"

namespace berth::drivers {

// The message may carry 50 lines of a failed setup.
inline constexpr std::size_t kMostReadyLine = std::size_t{256} << 10;

// The boot id of a server that is ready, else the error that it gave. `who` begins the messages.
[[nodiscard]] Expected<std::string> boot_of_ready_line(const std::string& line, const std::string& who);

}  // namespace berth::drivers
