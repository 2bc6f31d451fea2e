// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/measure.hpp"

namespace berth::bench {

// A slotd in a container of the setup's engine, with limits on memory, processes, cores and disk of each slot. Strict
// isolation: where a limit cannot be in force there is none.
[[nodiscard]] Expected<SlotdProcess> start_contained(const Setup& setup);

// The measurements of one slot server, and of an agent before it, to be taken in containers.
[[nodiscard]] std::vector<Measurement> contained_measurements();

}  // namespace berth::bench
