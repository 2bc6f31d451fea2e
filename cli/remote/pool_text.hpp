// SPDX-License-Identifier: Apache-2.0
// What an agent is sent of a job file: its pool. Steps, trajectories, vars, inputs and outputs stay with the command.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/options.hpp"

namespace berth::cli {

struct PoolText {
  std::string name;
  std::string yaml;         // one line; --set and --driver applied
  bool has_inputs = false;  // which are not in it
};

// Complaints go to stderr; nothing: the file is bad.
[[nodiscard]] std::optional<PoolText> pool_text(const JobOptions& options);

// As against the name of a job: it has a slash, or ends in .yaml or .yml.
[[nodiscard]] bool is_job_file(std::string_view text);

}  // namespace berth::cli
