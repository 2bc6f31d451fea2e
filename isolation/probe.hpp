// SPDX-License-Identifier: Apache-2.0
// Finds out what this machine lets this process enforce, by doing it once in short-lived children.
#pragma once

#include "isolation/plan.hpp"

namespace berth::isolation {

// Blocks for some 10 ms (each child is killed after 2 s at the latest) and leaves nothing behind. Fills everything but
// the cgroup_* fields, which open_cgroup_parent() fills. Call it before the program starts threads: it forks.
[[nodiscard]] Abilities probe_abilities();

}  // namespace berth::isolation
