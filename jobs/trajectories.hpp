// SPDX-License-Identifier: Apache-2.0
// The file of items behind {from: tasks.jsonl}.
#pragma once

#include <string>

#include "base/json.hpp"
#include "jobs/job.hpp"
#include "jobs/limits.hpp"

namespace berth::jobs {

// Shallower than JSON in general, so that a step's args stay within what a slot accepts when an item is put into them.
inline constexpr JsonBounds kItemBounds{.max_bytes = kMaxItemBytes, .max_depth = 32, .max_values = 200'000};

// The file's name as messages show it: relative to where the job file was named from.
[[nodiscard]] std::string items_file(const Job& job);

}  // namespace berth::jobs
