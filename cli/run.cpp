// SPDX-License-Identifier: Apache-2.0
// `berth run`: trajectories queue over slots, as many in flight as there can be slots.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <deque>

#include "base/http/promise.hpp"
#include "cli/options.hpp"
#include "cli/platform.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/remote_pool.hpp"
#include "cli/report.hpp"
#include "cli/terminal.hpp"
#include "cli/trajectory.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

// Everything that the trajectories share; outlives them all.
struct Run {
  jobs::Job job;
  std::deque<TrajectoryPlan> plans;
  PackedInputs inputs;
  std::unique_ptr<Report> report;
  std::size_t workers = 0;
  bool warned = false;
  bool keep = false;
  std::vector<std::pair<std::string, std::string>> kept;  // trajectory, lease
};

// Every trajectory's templates replaced. Complaints go to stderr.
bool plan_all(Run& run, std::vector<jobs::ReadyWork>& works) {
  const auto trajectories = jobs::load_trajectories(run.job);
  jobs::Diagnostics complaints = trajectories ? jobs::Diagnostics() : trajectories.error();
  if (trajectories) {
    for (const jobs::Trajectory& each : *trajectories) {
      auto work = jobs::expand(run.job, each);
      if (!work) complaints.insert(complaints.end(), work.error().begin(), work.error().end());
      if (work) works.push_back(*work);
      if (work) run.plans.push_back({&run.job, each, std::move(*work), &run.inputs});
    }
  }
  for (const jobs::Diagnostic& each : complaints)
    std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
  return complaints.empty();
}

// A trajectory that keeps its slot leaves none for those that wait.
bool all_can_be_kept(const Run& run) {
  const std::size_t slots = std::size_t{run.job.containers.max} * run.job.slots;
  if (run.plans.size() <= slots) return true;
  print_error(
      {"bad_usage",
       std::to_string(run.plans.size()) + " trajectories cannot all keep one of " + std::to_string(slots) + " slots",
       "leave --keep out, or set slots, containers or trajectories so that they fit"});
  return false;
}

asio::awaitable<void> say_what_is_missing(Place& place, Run& run) {
  if (std::exchange(run.warned, true)) co_return;
  const std::vector<std::string> missing = co_await place.missing_isolation(run.job.name);
  for (const std::string& each : missing) print_warning(each);
}

asio::awaitable<void> work_off(Place& place, Run& run, std::shared_ptr<http::Promise<bool>> all_done) {
  const OnStep on_step = [&run](const TrajectoryOutcome& so_far, const StepOutcome& step) {
    run.report->step_done(so_far, step);
  };
  while (!run.plans.empty() && !place.interrupted()) {
    TrajectoryPlan plan = std::move(run.plans.front());
    run.plans.pop_front();
    run.report->trajectory_started();
    TrajectoryOutcome outcome = co_await run_trajectory(place, std::move(plan), on_step);
    // What the interrupt cut short is no result.
    if (place.interrupted()) break;
    if (!outcome.slot.empty()) co_await say_what_is_missing(place, run);
    if (run.keep && !outcome.lease.empty()) run.kept.emplace_back(outcome.trajectory.name, outcome.lease);
    // Without a container the others would only repeat the same message.
    const bool hopeless = outcome.error && outcome.error->code == "container_failed";
    run.report->trajectory_done(std::move(outcome));
    if (hopeless) run.plans.clear();
  }
  if (--run.workers == 0) all_done->set(true);
}

asio::awaitable<int> run_all(Place& place, Run& run) {
  const std::size_t most = std::size_t{run.job.containers.max} * run.job.slots;
  run.workers = std::min(most, run.plans.size());
  auto all_done = std::make_shared<http::Promise<bool>>(place.context());
  for (std::size_t i = run.workers; i > 0; --i)
    asio::co_spawn(place.context(), work_off(place, run, all_done), asio::detached);
  co_await all_done->wait(Deadline());
  run.report->finish(place.interrupted());
  const std::string address = place.address();
  for (const auto& [trajectory, lease] : run.kept)
    std::fprintf(stderr, "berth: kept %s: BERTH_ADDR=%s berth exec %s -- sh\n", harmless_line(trajectory, 100).c_str(),
                 address.c_str(), lease.c_str());
  co_return run.report->exit_code();
}

}  // namespace

int run_command(const RunOptions& options) {
  auto job = load(options.job);
  if (!job) return kUsage;
  if (const auto refused = refuse_what_is_not_here(*job)) return *refused;
  if (job->steps.empty()) {
    print_error({"no_steps", options.job.file + " has no steps, so there is nothing to run",
                 "add steps, or use berth exec --job " + options.job.file + " -- CMD"});
    return kUsage;
  }
  Run run;
  run.job = std::move(*job);
  std::vector<jobs::ReadyWork> works;
  if (!plan_all(run, works)) return kUsage;
  if (options.keep && !all_can_be_kept(run)) return kUsage;
  for (const std::string& note : run.job.notes) print_warning(note);
  for (TrajectoryPlan& plan : run.plans) plan.keep = options.keep;
  run.keep = options.keep;
  run.report = std::make_unique<Report>(run.job, run.plans.size(), options.json);
  const auto prepare = [&run, &works](const std::string& state_dir) {
    return run.inputs.prepare(run.job, works, state_dir);
  };
  const auto work = [&run](Place& place) { return run_all(place, run); };
  if (!has_agent_address()) return Platform::run(run.job, options.job.slotd, kPlatform, prepare, work, options.keep);
  auto pool = pool_text(options.job, run.job);
  if (!pool) return kUsage;
  if (pool->inputs) works.push_back({{}, *pool->inputs, {}});
  return run_remotely({*std::move(pool), options.keep, kPlatform, &run.inputs, prepare, work});
}

}  // namespace berth::cli
