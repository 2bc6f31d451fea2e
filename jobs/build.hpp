// SPDX-License-Identifier: Apache-2.0
// From the tree to the Job, and the rules that look at more than one key.
#pragma once

#include "jobs/job.hpp"
#include "jobs/tree.hpp"

namespace berth::jobs {

// Values that check_job() complained about are left at their defaults. Complains about what only shows while values are
// made: scalars in args that YAML readers read differently.
void build_job(const Node& root, Job& job, Complaints& complaints);

// Keys that contradict each other; notes go into the job.
void check_rules(const Node& root, Job& job, Complaints& complaints);

}  // namespace berth::jobs
