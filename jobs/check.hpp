// SPDX-License-Identifier: Apache-2.0
// Holds a tree against the table of keys: unknown and missing keys, wrong types, values out of range.
#pragma once

#include "jobs/keys.hpp"

namespace berth::jobs {

void check_job(const Node& root, Complaints& complaints);

}  // namespace berth::jobs
