// SPDX-License-Identifier: Apache-2.0
// What an agent is sent of a job file: its pool. Steps, trajectories, vars and outputs stay with the command; inputs
// that are the same for every trajectory go along once they are packed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.hpp"

namespace berth::cli {

struct PoolText {
  std::string name;
  std::string yaml;  // one line; --set and --driver applied; without inputs
  // What everybody gets who leases a slot; else why trajectories have inputs of their own.
  tl::expected<std::vector<jobs::Input>, jobs::Diagnostics> inputs;
};

// `job` is what load() made of the same options. Complaints go to stderr; nothing: the file is bad.
[[nodiscard]] std::optional<PoolText> pool_text(const JobOptions& options, const jobs::Job& job);

// As against the name of a job: it has a slash, or ends in .yaml or .yml.
[[nodiscard]] bool is_job_file(std::string_view text);

void print_complaints(const jobs::Diagnostics& complaints);

}  // namespace berth::cli
