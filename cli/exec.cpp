// SPDX-License-Identifier: Apache-2.0
// `berth exec --job FILE -- CMD...`: one command in one slot, its streams and its exit code passed through.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/notes.hpp"
#include "cli/options.hpp"
#include "cli/platform.hpp"
#include "cli/terminal.hpp"
#include "cli/transfer.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostStdin = std::size_t{1} << 20;

void write_through(const OutputLine& line) {
  // A reader that went away does not stop the command; its exit code still counts.
  static_cast<void>(write_all(line.stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO, line.bytes));
}

int exit_code_of(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  const auto number = [&metadata](const char* key) -> std::optional<std::int64_t> {
    if (!metadata || !metadata->is_object() || !metadata->contains(key)) return std::nullopt;
    return json_int(metadata->at(key));
  };
  const std::string word = metadata && metadata->is_object() ? metadata->value("cause", "") : "";
  const auto cause = cause_from_string(word);
  if (cause == Cause::timeout) return kExecTimeout;
  if (const auto signal = number("signal"); signal && *signal > 0) return static_cast<int>(128 + *signal);
  if (const auto code = number("exit_code"); cause == Cause::exit && code) return static_cast<int>(*code);
  if (cause == Cause::memory || cause == Cause::output_limit) return 128 + 9;
  if (const auto code = number("exit_code"); cause == Cause::disk && code) return static_cast<int>(*code);
  return kExecPlatform;
}

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

asio::awaitable<int> run_one(Platform& platform, ExecPlan& plan) {
  agent::AcquireRequest request;
  request.job = plan.job.name;
  const auto lease = co_await platform.runtime().acquire(std::move(request));
  Expected<void> ready;
  if (lease) {
    ready = co_await bring_inputs(platform.runtime(), lease->id, plan.work.inputs, plan.inputs);
  } else {
    ready = tl::unexpected(lease.error());
  }
  if (!ready && !platform.interrupted()) print_error(ready.error());
  if (!ready) co_return kExecPlatform;
  warn_of_missing_isolation(platform.runtime());
  const auto result = co_await platform.runtime().call(lease->id, plan.call, write_through);
  platform.runtime().release(lease->id);
  if (platform.interrupted()) co_return kInterrupted;
  if (!result) print_error(result.error());
  if (!result) co_return kExecPlatform;
  const int code = exit_code_of(*result);
  if (code == kExecTimeout || code == kExecPlatform) print_error({"exec", result->error, {}});
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

}  // namespace

int exec_command(const ExecOptions& options) {
  const auto timeout = parse_duration(options.timeout);
  if (!timeout || timeout->count() <= 0) {
    print_error({"bad_duration", "--timeout " + options.timeout + " is no duration",
                 "write it with its unit, e.g. 90s, 10m, 1h"});
    return kUsage;
  }
  auto job = load(options.job);
  if (!job) return kUsage;
  if (const auto refused = refuse_what_is_not_here(*job)) return *refused == kPlatform ? kExecPlatform : *refused;
  ExecPlan plan;
  plan.job = std::move(*job);
  // One command needs one slot.
  plan.job.containers = {1, 1, 0};
  plan.job.slots = 1;
  if (!plan_inputs(plan)) return kUsage;
  Expected<std::string> input =
      options.with_stdin ? read_all(STDIN_FILENO, kMostStdin) : Expected<std::string>(std::string());
  if (!input) {
    print_error(input.error().within("standard input"));
    return kExecPlatform;
  }
  plan.call.tool = "exec";
  plan.call.args = exec_args(options, *input);
  plan.call.timeout = *timeout;
  const auto prepare = [&plan](const std::string& state_dir) {
    return plan.inputs.prepare(plan.job, {plan.work}, state_dir);
  };
  return Platform::run(plan.job, options.job.slotd, kExecPlatform, prepare,
                       [&plan](Platform& platform) { return run_one(platform, plan); });
}

}  // namespace berth::cli
