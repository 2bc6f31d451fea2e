// SPDX-License-Identifier: Apache-2.0
// Holds a tree against the table of keys: unknown and missing keys, wrong types, values out of range.
#pragma once

#include "jobs/keys.hpp"

namespace berth::jobs {

void check_job(const Node& root, Complaints& complaints);
// The same for any other file of keys. `what` begins the complaint about a file that is no map: "a job file is a map of
// keys such as job, slots and steps".
void check_keys(const Node& root, const ObjectRule& rule, std::string_view what, Complaints& complaints);

}  // namespace berth::jobs
