// SPDX-License-Identifier: Apache-2.0
#include "cli/trajectory.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

// Causes that are Berth's failure, not the command's.
constexpr std::array kPlatformCauses{Cause::isolation, Cause::protocol, Cause::slot_lost, Cause::container_lost,
                                     Cause::transport};

struct Meaning {
  std::optional<int> exit_code;
  bool platform = false;
};

Meaning read_metadata(const Result& result) {
  Meaning meaning;
  const auto metadata = parse_json(result.metadata);
  if (!metadata || !metadata->is_object()) return meaning;
  if (const auto code = metadata->find("exit_code"); code != metadata->end())
    if (const auto number = json_int(*code)) meaning.exit_code = static_cast<int>(*number);
  const auto cause = metadata->find("cause");
  if (cause == metadata->end() || !cause->is_string()) return meaning;
  const auto known = cause_from_string(cause->get<std::string>());
  meaning.platform =
      known && std::find(kPlatformCauses.begin(), kPlatformCauses.end(), *known) != kPlatformCauses.end();
  return meaning;
}

StepOutcome judge(const jobs::ReadyStep& step, Expected<Result> result) {
  StepOutcome outcome;
  outcome.name = step.name;
  if (!result) {
    outcome.error = result.error().message;
    outcome.platform_failed = true;
    return outcome;
  }
  outcome.result = std::move(*result);
  const Meaning meaning = read_metadata(outcome.result);
  outcome.platform_failed = meaning.platform;
  const auto unmet =
      jobs::check_expectation(step.expect, outcome.result.success, outcome.result.output, meaning.exit_code);
  outcome.success = !unmet && !meaning.platform;
  if (unmet) outcome.error = outcome.result.error.empty() ? *unmet : outcome.result.error;
  return outcome;
}

asio::awaitable<void> run_steps(Place& place, const TrajectoryPlan& plan, const std::string& lease,
                                TrajectoryOutcome& outcome, const OnStep& on_step) {
  for (const jobs::ReadyStep& step : plan.work.steps) {
    if (place.interrupted()) co_return;
    agent::LeaseCall call;
    call.tool = step.tool;
    call.args = step.args;
    call.timeout = step.timeout;
    call.env = step.env;
    agent::OutputSink nothing;
    auto result = co_await place.call(lease, std::move(call), std::move(nothing));
    outcome.steps.push_back(judge(step, std::move(result)));
    on_step(outcome, outcome.steps.back());
    const StepOutcome& done = outcome.steps.back();
    if (done.platform_failed || (!done.success && !step.continue_after_failure)) co_return;
  }
}

asio::awaitable<void> fetch_outputs(Place& place, const TrajectoryPlan& plan, const std::string& lease,
                                    TrajectoryOutcome& outcome) {
  for (const jobs::Output& output : plan.work.outputs) {
    if (place.interrupted()) co_return;
    auto fetched = co_await fetch_output(place, lease, *plan.job, output);
    outcome.warnings.insert(outcome.warnings.end(), fetched.warnings.begin(), fetched.warnings.end());
    if (fetched.error) outcome.missing.push_back(*fetched.error);
  }
}

}  // namespace

bool TrajectoryOutcome::succeeded() const {
  const bool all = std::all_of(steps.begin(), steps.end(), [](const StepOutcome& step) { return step.success; });
  return all && steps.size() == planned && !error && missing.empty();
}

bool TrajectoryOutcome::platform_failed() const {
  return error || std::any_of(steps.begin(), steps.end(), [](const StepOutcome& step) { return step.platform_failed; });
}

asio::awaitable<TrajectoryOutcome> run_trajectory(Place& place, TrajectoryPlan plan, OnStep on_step) {
  TrajectoryOutcome outcome;
  outcome.trajectory = plan.trajectory;
  outcome.planned = plan.work.steps.size();
  const auto held = co_await place.acquire(plan.job->name, plan.trajectory.name);
  if (!held) {
    outcome.error = held.error();
    co_return outcome;
  }
  const auto begin = now();
  outcome.slot = held->slot;
  outcome.lease = held->lease;
  const auto brought = co_await bring_inputs(place, held->lease, plan.work.inputs, *plan.inputs);
  if (!brought) outcome.error = brought.error();
  if (brought) co_await run_steps(place, plan, held->lease, outcome, on_step);
  if (brought) co_await fetch_outputs(place, plan, held->lease, outcome);
  if (!plan.keep) co_await place.release(held->lease);
  outcome.time = now() - begin;
  co_return outcome;
}

}  // namespace berth::cli
