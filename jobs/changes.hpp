// SPDX-License-Identifier: Apache-2.0
// What a job asks of its pool differently than another: what a plan shows, and whether two jobs share a pool. Steps,
// trajectories, vars, inputs and outputs are the business of the command that runs them and are not looked at.
#pragma once

#include <string>
#include <vector>

#include "jobs/job.hpp"

namespace berth::jobs {

struct Change {
  std::string key;            // "slot.memory", "env.NAME"
  std::string before, after;  // as in a job file; empty: not set. Values of env are never shown
  bool rebuilds = false;      // running containers are drained and replaced
};

// In the order of the key's groups; empty: the same pool.
[[nodiscard]] std::vector<Change> changes(const Job& before, const Job& after);

// "slots: 4 -> 8"
[[nodiscard]] std::string to_string(const Change& change);

}  // namespace berth::jobs
