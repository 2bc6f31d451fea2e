// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/bash_stateful.hpp"

#include <sys/statvfs.h>

#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "slotd/session/shell_text.hpp"
#include "slotd/tools/session_call.hpp"

namespace berth::slotd {
namespace {

constexpr std::string_view kStartWords = "Failed to start stateful session: ";

double milliseconds(Duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

tl::expected<SessionCommand, ToolResult> read_command(const ToolContext& context) {
  const auto& args = context.args();
  const auto found = args.find("command");
  const auto refuse = [](std::string error) { return tl::unexpected<ToolResult>(refused(std::move(error))); };
  if (found != args.end() && !found->is_string()) return refuse("command must be a string");
  const auto command = found == args.end() ? std::string() : found->get<std::string>();
  if (trim(command).empty()) return refuse("Missing command");
  if (command.find('\0') != std::string::npos) return refuse("command must not contain NUL");
  if (!are_variable_names(context.execution->call.env)) return refuse("env: a name that no shell variable can have");
  return SessionCommand{command, context.execution->call.env};
}

// What the slot's limits say about a failure, as for single commands.
class Limits {
 public:
  explicit Limits(SlotRoom& room) : room_(room) {
    if (!room_.usable()) return;
    oom_kills_ = room_.room().memory_usage().oom_kills.value_or(0);
    room_.room().reset_peak();
  }
  void judge(SessionOutcome& outcome, Metadata& metadata) {
    const auto usage = room_.usable() ? room_.room().memory_usage() : isolation::GroupUsage{};
    metadata.integer_or_null("memory_peak_bytes", usage.memory_peak_bytes);
    metadata.text("usage_source", usage.memory_peak_bytes ? "cgroup" : "rusage");
    if (outcome.cause != Cause::exit || outcome.exit_code.value_or(0) == 0) return;
    if (usage.oom_kills.value_or(0) > oom_kills_) outcome.cause = Cause::memory;
    struct statvfs disk {};
    const bool known = room_.usable() && ::fstatvfs(room_.room().workspace_fd(), &disk) == 0 && disk.f_blocks > 0;
    const bool full = known && (disk.f_bavail == 0 || disk.f_favail == 0);
    if (outcome.cause == Cause::exit && full) outcome.cause = Cause::disk;
  }

 private:
  SlotRoom& room_;
  std::uint64_t oom_kills_ = 0;
};

std::string describe_failure(const ToolContext& context, const SessionOutcome& outcome) {
  const auto code = "Exit code: " + std::to_string(outcome.exit_code.value_or(-1));
  switch (outcome.cause) {
    case Cause::timeout:
      return "Command timed out after " + context.execution->call.timeout_text + "s" +
             (outcome.started ? "" : " while the terminal was busy");
    case Cause::cancelled: return "Command was cancelled";
    case Cause::isolation: return "Command could not run isolated: " + outcome.problem;
    case Cause::memory: return code + " (the slot's memory limit was reached)";
    case Cause::disk: return code + " (the slot's disk is full)";
    default: return code;
  }
}

void describe(const SessionOutcome& outcome, const Execution& execution, Metadata& metadata) {
  metadata.text("cause", to_string(outcome.cause)).boolean("started", outcome.started);
  if (outcome.cause == Cause::timeout) {
    metadata.integer("exit_code", -1).boolean("timeout", true);
  } else if (outcome.exit_code) {
    metadata.integer("exit_code", *outcome.exit_code);
  }
  if (outcome.cause == Cause::signal) metadata.integer("signal", *outcome.exit_code - 128);
  metadata.milliseconds("wall_ms", milliseconds(outcome.wall)).json("cpu_ms", "null");
  metadata.integer("stdout_bytes", static_cast<std::int64_t>(execution.stdout_ring.total()));
  metadata.integer("stderr_bytes", 0).integer("background_killed", 0);
}

class BashStatefulTool final : public Tool {
 public:
  std::string_view name() const override { return "bash_stateful"; }
  std::string_view schema() const override {
    return R"({"type":"object","required":["command"],"properties":{"command":{"type":"string"},)"
           R"("allow_network":{"type":"boolean"},"require_stateful_sandbox":{"type":"boolean"},"require_sandbox":{"type":"boolean"}}})";
  }
  asio::awaitable<ToolResult> run(ToolContext context) const override {
    auto command = read_command(context);
    if (!command) co_return command.error();
    auto call = read_session_call(context);
    if (!call) co_return refused_session(kStartWords, call.error());
    const auto asked = now();
    const auto first_deadline = Deadline::after(asked, context.timeout);
    auto ensured = co_await context.session.ensure(std::move(call->wish), first_deadline);
    if (!ensured) {
      const auto refusal = refusal_of(ensured.error());
      co_return refused_session(kStartWords, refusal);
    }
    const auto setup = now() - asked;
    Limits limits(context.room);
    const auto deadline = Deadline::after(now(), context.timeout);
    auto outcome = co_await context.session.run(std::move(*command), deadline, context.execution);
    const bool restarted = *ensured && context.session.generation() > 1;
    co_return finished(context, call->policy, outcome, limits, setup, restarted);
  }

 private:
  static ToolResult finished(const ToolContext& context, const CommandPolicy& policy, SessionOutcome outcome,
                             Limits& limits, Duration setup, bool restarted) {
    ToolResult result;
    const auto out = context.execution->stdout_ring.text();
    limits.judge(outcome, result.metadata);
    result.success = outcome.cause == Cause::exit && outcome.exit_code == 0;
    result.output = out.text;
    if (!result.success) result.error = describe_failure(context, outcome);
    describe(outcome, *context.execution, result.metadata);
    result.metadata.milliseconds("setup_ms", milliseconds(setup)).boolean("truncated", out.truncated);
    if (out.lossy) result.metadata.boolean("lossy_text", true);
    result.metadata.boolean("sandboxed", policy.sandboxed).boolean("network_isolated", policy.network_isolated);
    result.metadata.boolean("stateful", true).boolean("session_kept", outcome.session_kept);
    result.metadata.boolean("restarted", restarted);
    return result;
  }
};

}  // namespace

std::unique_ptr<Tool> make_bash_stateful_tool() {
  return std::make_unique<BashStatefulTool>();
}

}  // namespace berth::slotd
