// SPDX-License-Identifier: Apache-2.0
// The log of a slot server that writes it into a file, piece by piece.
#pragma once

#include <string>

#include "drivers/driver.hpp"

namespace berth::drivers {

// At most a megabyte after the place `after`: an offset, or empty for the beginning. A file that is shorter than that
// begins anew. Errors: "bad_request", and those of the file.
[[nodiscard]] Expected<LogPart> read_log_file(const std::string& path, const std::string& after);

}  // namespace berth::drivers
