// SPDX-License-Identifier: Apache-2.0
// Directories that others make, look at and remove beside us: who works on one holds it by an exclusive flock.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "base/fd.hpp"

namespace berth {

// The lock, until the descriptor is closed; does not wait. Else errno: EWOULDBLOCK (somebody else holds it), ESTALE
// (what is held has lost that name meanwhile; another may have it), or why it cannot be opened.
[[nodiscard]] tl::expected<UniqueFd, int> hold_directory(const std::string& path);

}  // namespace berth
