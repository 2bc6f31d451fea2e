// SPDX-License-Identifier: Apache-2.0
// What `berth run` shows: a progress line on a terminal, a table and a summary at the end, or one JSON object a step.
#pragma once

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "cli/trajectory.hpp"

namespace berth::cli {

class Report {
 public:
  Report(const jobs::Job& job, std::size_t trajectories, bool json);

  void step_done(const TrajectoryOutcome& so_far, const StepOutcome& step);
  void trajectory_started();
  void trajectory_done(TrajectoryOutcome outcome);
  // Table and summary; nothing with --json. Of an interrupted run only how far it came.
  void finish(bool interrupted);
  [[nodiscard]] int exit_code() const;

 private:
  void show_progress();
  void clear_progress();
  void print_table() const;
  void print_summary() const;
  void print_errors(const TrajectoryOutcome& outcome);
  [[nodiscard]] std::string json_line(const TrajectoryOutcome& outcome, const StepOutcome* step,
                                      const std::string& error) const;

  const jobs::Job& job_;
  std::size_t planned_;
  bool json_;
  bool progress_;
  bool shown_ = false;
  std::size_t running_ = 0;
  std::size_t failed_ = 0;
  std::size_t steps_ = 0;
  std::set<std::string> told_;  // errors of the platform, each said once
  std::vector<TrajectoryOutcome> done_;
  std::chrono::steady_clock::time_point begin_ = now();
  std::chrono::steady_clock::time_point last_progress_{};
};

}  // namespace berth::cli
