// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/exec.hpp"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "slotd/command_runner.hpp"
#include "slotd/tools/command_policy.hpp"

namespace berth::slotd {
namespace {

struct ExecArgs {
  isolation::Command command;
  UniqueFd stdin_fd;
  CommandPolicy policy;
  bool background = false;
};

using Parsed = tl::expected<ExecArgs, ToolResult>;

tl::unexpected<ToolResult> refuse_exec(std::string error) {
  return tl::unexpected<ToolResult>(refused(std::move(error)));
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

tl::expected<std::vector<std::string>, ToolResult> read_argv(const Json& args) {
  const auto found = args.find("argv");
  if (found == args.end() || !found->is_array() || found->empty())
    return refuse_exec("exec requires 'argv': a list of strings, the program first");
  std::vector<std::string> argv;
  for (const auto& item : *found) {
    if (!item.is_string() || has_nul(item.get_ref<const std::string&>()))
      return refuse_exec("argv must be a list of strings without NUL");
    argv.push_back(item.get<std::string>());
  }
  if (argv.front().empty()) return refuse_exec("argv: the program's name is empty");
  return argv;
}

tl::expected<void, ToolResult> read_stdin(const Json& args, ExecArgs& out) {
  const auto found = args.find("stdin");
  if (found == args.end() || found->is_null()) return {};
  if (!found->is_string()) return refuse_exec("stdin must be a string");
  auto file = make_sealed_memfd("stdin", found->get_ref<const std::string&>());
  if (!file) return refuse_exec("stdin: " + file.error().message);
  out.stdin_fd = std::move(*file);
  return {};
}

tl::expected<void, ToolResult> read_cwd(const Json& args, ExecArgs& out) {
  const auto found = args.find("cwd");
  if (found == args.end() || found->is_null()) return {};
  if (!found->is_string() || found->get_ref<const std::string&>().empty() ||
      has_nul(found->get_ref<const std::string&>())) {
    return refuse_exec("cwd must be a path");
  }
  const auto path = found->get<std::string>();
  out.command.cwd = path.front() == '/' ? path : "/workspace/" + path;
  return {};
}

// What `exec` and `bash` have in common.
Parsed read_common(const ToolContext& context, std::vector<std::string> argv) {
  const auto& args = context.args();
  ExecArgs out;
  const auto policy = command_policy(args, context.room.in_force(), context.spec.slot.network);
  if (!policy) return tl::unexpected<ToolResult>(policy.error());
  out.policy = *policy;
  std::map<std::string, std::string> env;
  if (const auto found = args.find("env"); found != args.end() && !found->is_null()) {
    auto more = read_environment(*found);
    if (!more) return refuse_exec("env must be an object of strings");
    env = std::move(*more);
  }
  if (auto done = read_stdin(args, out); !done) return tl::unexpected<ToolResult>(done.error());
  if (auto done = read_cwd(args, out); !done) return tl::unexpected<ToolResult>(done.error());
  out.command.argv = std::move(argv);
  out.command.env = command_environment(context.spec, *context.execution, env, out.policy.cut_network);
  out.command.no_network = out.policy.cut_network;
  const auto& limits = context.execution->call.limits;
  if (limits.cpu_seconds) out.command.cpu_seconds = static_cast<std::uint64_t>(*limits.cpu_seconds + 0.999);
  out.command.memory_bytes = limits.memory_bytes;
  out.command.pids = limits.pids;
  return out;
}

// stdout, then stderr under its label; white space at both ends dropped: the form existing clients know.
std::string joined_output(const OutputRing::Text& out, const OutputRing::Text& err) {
  if (err.text.empty()) return std::string(trim(out.text));
  if (out.text.empty()) return std::string(trim(err.text));
  return std::string(trim(out.text + "\n[stderr]\n" + err.text));
}

std::string describe_failure(const ToolContext& context, const CommandOutcome& outcome) {
  const auto number = [](int value) { return std::to_string(value); };
  switch (outcome.cause) {
    case Cause::timeout: return "Command timed out after " + context.execution->call.timeout_text + "s";
    case Cause::cancelled: return "Command was cancelled";
    case Cause::output_limit: return "Command was killed: its output passed the slot's limit";
    case Cause::isolation: return "Command could not run isolated: " + outcome.problem;
    case Cause::memory:
      return "Exit code: " + number(outcome.exit_code.value_or(-1)) + " (the slot's memory limit was reached)";
    case Cause::disk: return "Exit code: " + number(outcome.exit_code.value_or(-1)) + " (the slot's disk is full)";
    default: return "Exit code: " + number(outcome.exit_code.value_or(-1));
  }
}

ToolResult start_failure(const ExecArgs& args, const CommandOutcome& outcome) {
  const bool no_shell =
      args.command.argv.front() == "/bin/sh" && outcome.start_step == "exec" && outcome.start_errno == ENOENT;
  auto result = refused(no_shell ? "no shell in image"
                                 : "Failed to execute command: " + outcome.start_step + ": " +
                                       std::strerror(outcome.start_errno));
  result.metadata.boolean("sandboxed", args.policy.sandboxed).boolean("network_isolated", args.policy.network_isolated);
  return result;
}

ToolResult finished_command(const ToolContext& context, const ExecArgs& args, const CommandOutcome& outcome) {
  if (!outcome.start_step.empty()) return start_failure(args, outcome);
  const auto out = context.execution->stdout_ring.text();
  const auto err = context.execution->stderr_ring.text();
  ToolResult result;
  result.success = outcome.cause == Cause::exit && outcome.exit_code == 0;
  result.output = joined_output(out, err);
  if (!result.success) result.error = describe_failure(context, outcome);
  describe(outcome, *context.execution, result.metadata);
  result.metadata.boolean("truncated", out.truncated || err.truncated);
  if (out.lossy || err.lossy) result.metadata.boolean("lossy_text", true);
  result.metadata.boolean("sandboxed", args.policy.sandboxed).boolean("network_isolated", args.policy.network_isolated);
  return result;
}

ToolResult background_answer(const ExecArgs& args) {
  ToolResult result;
  result.success = true;
  result.metadata.text("cause", "exit").boolean("started", true).boolean("background", true);
  result.metadata.boolean("sandboxed", args.policy.sandboxed).boolean("network_isolated", args.policy.network_isolated);
  return result;
}

asio::awaitable<ToolResult> run_parsed(ToolContext context, ExecArgs args) {
  CommandLimits limits{context.timeout, context.spec.slot.output_kill_bytes};
  std::function<void()> on_started;
  if (args.background) {
    // It ends by DELETE, reset or release only.
    limits.timeout = Seconds(1e9);
    on_started = [&] { context.answer_now(background_answer(args)); };
  }
  auto outcome =
      co_await run_command(context.room, context.execution, args.command, std::move(args.stdin_fd), limits, on_started);
  co_return finished_command(context, args, outcome);
}

class ExecTool final : public Tool {
 public:
  std::string_view name() const override { return "exec"; }
  std::string_view schema() const override {
    return R"({"type":"object","required":["argv"],"properties":{"argv":{"type":"array","items":{"type":"string"},"minItems":1},)"
           R"("env":{"type":"object","additionalProperties":{"type":"string"}},"cwd":{"type":"string"},"stdin":{"type":"string"},)"
           R"("background":{"type":"boolean"},"tty":{"type":"boolean"},"allow_network":{"type":"boolean"},"require_sandbox":{"type":"boolean"}}})";
  }
  bool takes_turn(const Json& args) const override {
    const auto found = args.find("background");
    return found == args.end() || !found->is_boolean() || !found->get<bool>();
  }
  asio::awaitable<ToolResult> run(ToolContext context) const override {
    auto argv = read_argv(context.args());
    if (!argv) co_return argv.error();
    auto parsed = read_common(context, std::move(*argv));
    if (!parsed) co_return parsed.error();
    for (const char* flag : {"background", "tty"}) {
      const auto found = context.args().find(flag);
      if (found != context.args().end() && !found->is_boolean())
        co_return refused(std::string(flag) + " must be true or false");
    }
    parsed->command.tty = context.args().value("tty", false);
    if (parsed->command.tty && parsed->stdin_fd) co_return refused("stdin and tty exclude each other");
    parsed->background = !takes_turn(context.args());
    co_return co_await run_parsed(std::move(context), std::move(*parsed));
  }
};

class BashTool final : public Tool {
 public:
  std::string_view name() const override { return "bash"; }
  std::string_view schema() const override {
    return R"({"type":"object","properties":{"command":{"type":"string"},"env":{"type":"object","additionalProperties":{"type":"string"}},)"
           R"("cwd":{"type":"string"},"stdin":{"type":"string"},"allow_network":{"type":"boolean"},"require_sandbox":{"type":"boolean"}}})";
  }
  asio::awaitable<ToolResult> run(ToolContext context) const override {
    const auto found = context.args().find("command");
    if (found != context.args().end() && !found->is_string())
      co_return refused("Failed to execute command: command must be a string");
    const auto command = found == context.args().end() ? std::string() : found->get<std::string>();
    if (has_nul(command)) co_return refused("Failed to execute command: embedded null byte");
    auto parsed = read_common(context, {"/bin/sh", "-c", command});
    if (!parsed) co_return parsed.error();
    co_return co_await run_parsed(std::move(context), std::move(*parsed));
  }
};

}  // namespace

std::unique_ptr<Tool> make_exec_tool() {
  return std::make_unique<ExecTool>();
}
std::unique_ptr<Tool> make_bash_tool() {
  return std::make_unique<BashTool>();
}

}  // namespace berth::slotd
