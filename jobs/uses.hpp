// SPDX-License-Identifier: Apache-2.0
// The steps' templates and arguments while their places in the file are still known: what can be judged without the
// items is complained about at once, what the items decide is collected as uses.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "jobs/job.hpp"
#include "jobs/tools.hpp"
#include "jobs/tree.hpp"

namespace berth::jobs {

// Something that is known only with a trajectory's values. Held against every trajectory by check_uses().
struct Use {
  enum class Kind : unsigned char {
    field,     // text: the name of a field that each item must have
    argument,  // as field, and the value must suit `argument`
    input_to,  // text: a path with templates
    output_from,
    output_to,
    pattern,  // text: an RE2 pattern with templates
  };
  Kind kind = Kind::field;
  Place place;
  std::string text;
  ArgKind argument = ArgKind::text;
};

// Walks steps, inputs and outputs of the tree; `job` gives vars and driver.
[[nodiscard]] std::vector<Use> collect_uses(const Node& root, const Job& job, Complaints& complaints);

// Arguments of the tools the steps call.
void check_tool_args(const Node& root, std::vector<Use>& uses, Complaints& complaints);

// One complaint a use at most, naming the first trajectory that it fails for.
void check_uses(const std::vector<Use>& uses, const Job& job, const std::vector<Trajectory>& trajectories,
                Complaints& complaints);

}  // namespace berth::jobs
