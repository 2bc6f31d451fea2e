// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/error.hpp"

namespace berth::slotd {

// Deletes the directory `name` in `parent` with all below it. Links are deleted, never followed; directories without
// permissions are given them first. Depth costs memory, not stack or descriptors. Blocking.
[[nodiscard]] Expected<void> remove_tree(int parent, const std::string& name);

}  // namespace berth::slotd
