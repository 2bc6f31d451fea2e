// SPDX-License-Identifier: Apache-2.0
// `berth exec`: one command in one slot, its streams and its exit code passed through.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/exec_result.hpp"
#include "cli/options.hpp"
#include "cli/pass_through.hpp"
#include "cli/platform.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/remote_pool.hpp"
#include "cli/terminal.hpp"
#include "cli/transfer.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostStdin = std::size_t{1} << 20;

std::string exec_args(const ExecOptions& options, const std::string& input) {
  Json args{{"argv", options.command}};
  if (options.with_stdin) args["stdin"] = input;
  return dump_json(args);
}

struct ExecPlan {
  jobs::Job job;
  jobs::ReadyWork work;
  PackedInputs inputs;
  agent::LeaseCall call;
};

asio::awaitable<int> run_call(Place& place, const ExecPlan& plan, std::string lease) {
  agent::LeaseCall call = plan.call;
  PassThrough output;
  agent::OutputSink sink = [&output](const OutputLine& line) { output.take(line); };
  const auto result = co_await place.call(std::move(lease), std::move(call), std::move(sink));
  if (place.interrupted()) co_return kInterrupted;
  if (!result) print_error(result.error());
  if (!result) co_return kExecPlatform;
  output.tell_what_is_missing(*result);
  const int code = exit_code_of(*result);
  if (code == kExecTimeout || code == kExecPlatform) print_error({"exec", result->error, {}});
  co_return code;
}

asio::awaitable<int> run_in(Place& place, const ExecPlan& plan, const Held& held) {
  const auto ready = co_await bring_inputs(place, held.lease, plan.work.inputs, plan.inputs);
  if (!ready && !place.interrupted()) print_error(ready.error());
  if (!ready) co_return kExecPlatform;
  const std::vector<std::string> missing = co_await place.missing_isolation(plan.job.name);
  for (const std::string& each : missing) print_warning(each);
  co_return co_await run_call(place, plan, held.lease);
}

asio::awaitable<int> run_one(Place& place, ExecPlan& plan) {
  const auto held = co_await place.acquire(plan.job.name, "");
  if (!held && !place.interrupted()) print_error(held.error());
  if (!held) co_return kExecPlatform;
  const int code = co_await run_in(place, plan, *held);
  co_await place.release(held->lease);
  co_return code;
}

// The pool's inputs, with the templates of its first trajectory.
bool plan_inputs(ExecPlan& plan) {
  const auto trajectories = jobs::load_trajectories(plan.job);
  auto work = trajectories && !trajectories->empty()
                  ? jobs::expand(plan.job, trajectories->front())
                  : tl::expected<jobs::ReadyWork, jobs::Diagnostics>(jobs::ReadyWork());
  const jobs::Diagnostics complaints = !trajectories ? trajectories.error()
                                       : !work       ? work.error()
                                                     : jobs::Diagnostics();
  for (const jobs::Diagnostic& each : complaints)
    std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
  if (work) plan.work = std::move(*work);
  return complaints.empty();
}

// What every kind of exec needs: the call. Nothing: told on stderr, with the exit code in `code`.
std::optional<agent::LeaseCall> call_of(const ExecOptions& options, int& code) {
  const auto timeout = parse_duration(options.timeout);
  code = kUsage;
  if (!timeout || timeout->count() <= 0) {
    print_error({"bad_duration", "--timeout " + options.timeout + " is no duration",
                 "write it with its unit, e.g. 90s, 10m, 1h"});
    return std::nullopt;
  }
  Expected<std::string> input =
      options.with_stdin ? read_all(STDIN_FILENO, kMostStdin) : Expected<std::string>(std::string());
  code = kExecPlatform;
  if (!input) {
    print_error(input.error().within("standard input"));
    return std::nullopt;
  }
  agent::LeaseCall call;
  call.tool = "exec";
  call.args = exec_args(options, *input);
  call.timeout = *timeout;
  return call;
}

// In the pool of a job file: inside this command, or made on the agent for as long as it takes.
int exec_in_file(const ExecOptions& options) {
  auto job = load(options.job);
  if (!job) return kUsage;
  if (const auto refused = refuse_what_is_not_here(*job)) return *refused == kPlatform ? kExecPlatform : *refused;
  ExecPlan plan;
  plan.job = std::move(*job);
  if (!plan_inputs(plan)) return kUsage;
  int code = kUsage;
  auto call = call_of(options, code);
  if (!call) return code;
  plan.call = std::move(*call);
  std::vector<jobs::ReadyWork> works{plan.work};
  const auto prepare = [&plan, &works](const std::string& state_dir) {
    return plan.inputs.prepare(plan.job, works, state_dir);
  };
  const auto work = [&plan](Place& place) { return run_one(place, plan); };
  if (!has_agent_address()) {
    // One command needs one slot.
    plan.job.containers = {1, 1, 0};
    plan.job.slots = 1;
    return Platform::run(plan.job, options.job.slotd, kExecPlatform, prepare, work);
  }
  auto pool = pool_text(options.job, plan.job);
  if (!pool) return kUsage;
  if (pool->inputs) works.push_back({{}, *pool->inputs, {}});
  return run_remotely({*std::move(pool), false, kExecPlatform, &plan.inputs, prepare, work});
}

// In a slot of a pool that is there, acquired for it and released after it.
int exec_in_pool(const ExecOptions& options) {
  ExecPlan plan;
  plan.job.name = options.job.file;
  int code = kUsage;
  auto call = call_of(options, code);
  if (!call) return code;
  plan.call = std::move(*call);
  return run_in_existing(kExecPlatform, [&plan](Place& place) { return run_one(place, plan); });
}

asio::awaitable<int> run_held(Place& place, const ExecPlan& plan, std::string target) {
  const auto lease = co_await place.lease_of(std::move(target));
  if (!lease) print_error(lease.error());
  if (!lease) co_return kExecPlatform;
  co_return co_await run_call(place, plan, *lease);
}

// In a slot that somebody holds.
int exec_in_lease(const ExecOptions& options) {
  ExecPlan plan;
  int code = kUsage;
  auto call = call_of(options, code);
  if (!call) return code;
  plan.call = std::move(*call);
  return run_in_existing(kExecPlatform, [&](Place& place) { return run_held(place, plan, options.target); });
}

}  // namespace

int exec_command(const ExecOptions& given) {
  ExecOptions options = given;
  const bool by_job = !options.job.file.empty();
  if (by_job && !options.target.empty()) options.command.insert(options.command.begin(), options.target);
  if (options.command.empty() || (!by_job && options.target.empty())) {
    print_error({"bad_usage", "exec needs a slot and a command",
                 "berth exec LEASE -- CMD..., or berth exec --job JOB -- CMD..."});
    return kUsage;
  }
  if (!by_job) return exec_in_lease(options);
  const bool file = is_job_file(options.job.file) || ::access(options.job.file.c_str(), F_OK) == 0;
  return file ? exec_in_file(options) : exec_in_pool(options);
}

}  // namespace berth::cli
