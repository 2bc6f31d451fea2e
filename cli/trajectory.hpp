// SPDX-License-Identifier: Apache-2.0
// One trajectory from acquire to release, and what came of it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "berth/call.hpp"
#include "cli/place.hpp"
#include "cli/transfer.hpp"
#include "jobs/job.hpp"

namespace berth::cli {

struct StepOutcome {
  std::string name;
  bool success = false;
  std::string error;             // the result's, or why the expectation was not met
  bool platform_failed = false;  // the step's cause is Berth's, not the command's
  Result result;
};

struct TrajectoryOutcome {
  jobs::Trajectory trajectory;
  std::string slot;  // "CONTAINER:slot_N"; empty when none was had
  std::string lease;
  std::vector<StepOutcome> steps;
  std::size_t planned = 0;
  std::chrono::duration<double> time{};  // from the slot on, waiting for it not counted
  std::optional<Error> error;            // the platform failed beside the steps
  std::vector<Error> missing;            // required outputs
  std::vector<std::string> warnings;
  [[nodiscard]] bool succeeded() const;
  [[nodiscard]] bool platform_failed() const;
};

struct TrajectoryPlan {
  const jobs::Job* job = nullptr;
  jobs::Trajectory trajectory;
  jobs::ReadyWork work;
  const PackedInputs* inputs = nullptr;
  bool keep = false;  // leave the lease at the end
};

// `on_step` is told of each step as it ends.
using OnStep = std::function<void(const TrajectoryOutcome& so_far, const StepOutcome& step)>;
[[nodiscard]] boost::asio::awaitable<TrajectoryOutcome> run_trajectory(Place& place, TrajectoryPlan plan,
                                                                       OnStep on_step);

}  // namespace berth::cli
