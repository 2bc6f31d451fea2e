// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/tmux.hpp"

#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "slotd/terminal/keys.hpp"
#include "slotd/terminal/pane.hpp"
#include "slotd/tools/session_call.hpp"
#include "slotd/tools/tmux_args.hpp"

namespace berth::slotd {
namespace {

constexpr std::string_view kEnsureWords = "Failed to ensure tmux session: ";
constexpr std::string_view kSendWords = "tmux send-keys failed: ";

ToolResult answer(std::string output) {
  ToolResult result;
  result.success = true;
  result.output = std::move(output);
  result.metadata.text("cause", "exit").boolean("started", true).boolean("stateful", true);
  return result;
}

ToolResult failed_keys(std::string error, Cause cause) {
  ToolResult result;
  result.error = std::move(error);
  result.metadata.text("cause", to_string(cause)).boolean("started", true).boolean("stateful", true);
  return result;
}

// The session's screen and recording; made at the first call of this tool, so that whoever never shows a terminal
// never pays for one.
Pane& pane_of(Session& session) {
  if (auto* pane = dynamic_cast<Pane*>(session.listener())) return *pane;
  auto made = std::make_unique<Pane>();
  auto& pane = *made;
  if (session.live()) pane.terminal_started(session.size());
  session.set_listener(std::move(made));
  return pane;
}

// Keys as bytes. Completion is waited for only after a line was entered, so `block` enters one.
std::string encode(const TmuxArgs& args, KeyModes modes) {
  std::string bytes;
  for (const auto& element : *args.keys) {
    auto key = args.literal ? std::nullopt : encode_key(element, modes);
    bytes += key ? *key : element;
  }
  const bool entered = !bytes.empty() && (bytes.back() == '\r' || bytes.back() == '\n');
  if (args.block && !bytes.empty() && !entered) bytes += '\r';
  return bytes;
}

class Waker final : public ExecutionListener {
 public:
  explicit Waker(const asio::any_io_executor& executor) : changed(executor) {}
  void execution_changed(Execution& execution) override {
    if (execution.cancel_requested) changed.notify_all();
  }
  AsyncEvent changed;
};

asio::awaitable<void> wait_unless_cancelled(std::shared_ptr<Execution> execution, Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const auto waker = std::make_shared<Waker>(executor);
  execution->add_listener(waker);
  while (!execution->cancel_requested && !deadline.expired(now())) co_await waker->changed.wait(deadline);
}

asio::awaitable<ToolResult> blocked_too_long(ToolContext context, TmuxArgs args) {
  co_await context.session.stop();
  const auto& limit = args.max_wait ? args.max_wait_text : context.execution->call.timeout_text;
  auto result = failed_keys("tmux blocked keys timed out after " + limit + "s", Cause::timeout);
  result.metadata.boolean("blocked", true).boolean("timeout", true).boolean("session_kept", false);
  co_return result;
}

asio::awaitable<ToolResult> send_keys(ToolContext context, TmuxArgs args) {
  auto& session = context.session;
  if (!args.keys) co_return failed_keys("tmux send_keys requires 'keys' as string or list[string]", Cause::rejected);
  const auto longest = Seconds(context.spec.max_timeout_seconds);
  const auto limit = args.block ? std::min(args.max_wait.value_or(context.timeout), longest) : context.timeout;
  const auto deadline = Deadline::after(now(), limit);
  const auto& pane = pane_of(session);
  const auto bytes = encode(args, pane.started() ? pane.screen().key_modes() : KeyModes{});
  if (!bytes.empty()) {
    auto written = co_await session.write(bytes, deadline);
    const bool late = !written && written.error().code == "timeout" && args.block;
    if (!written && !late) co_return failed_keys(std::string(kSendWords) + written.error().message, Cause::exit);
    bool done = !late;
    if (done && args.block) done = co_await session.wait_for_prompt(deadline, context.execution);
    if (context.execution->cancel_requested)
      co_return failed_keys("Call was cancelled; what the keys started goes on", Cause::cancelled);
    if (!done && session.live()) co_return co_await blocked_too_long(std::move(context), std::move(args));
  }
  if (!args.block && args.min_wait > Seconds(0)) {
    const auto until = Deadline::after(now(), std::min(args.min_wait, context.timeout));
    co_await wait_unless_cancelled(context.execution, until);
  }
  auto result = answer("ok");
  result.metadata.boolean("blocked", args.block).boolean("session_kept", session.live());
  co_return result;
}

ToolResult started(const Session& session, Pane& pane) {
  pane.stream_offset = 0;
  auto result = answer("started");
  result.metadata.integer("pane_width", session.size().columns).integer("pane_height", session.size().rows);
  // Words that clients look for: there is no socket, no session of that name and no file.
  result.metadata.text("socket", "tmux.sock").text("session", "s").text("recording", ".asciinema.cast");
  return result;
}

ToolResult captured(const Pane& pane, const TmuxArgs& args) {
  const auto& screen = pane.screen();
  OutputRing ring;
  ring.append(args.capture_entire ? screen.text_with_scrollback() : screen.text());
  auto text = ring.text();
  auto result = answer(std::move(text.text));
  result.metadata.boolean("capture_entire", args.capture_entire).boolean("truncated", text.truncated);
  if (args.capture_entire) result.metadata.integer("lines_lost", static_cast<std::int64_t>(screen.lines_lost()));
  return result;
}

ToolResult streamed(Pane& pane, const TmuxArgs& args, std::uint64_t generation) {
  if (args.reset) pane.stream_offset = 0;
  auto part = pane.recording().read(pane.stream_offset, args.max_bytes);
  pane.stream_offset = part.offset;
  auto result = answer(std::move(part.lines));
  result.metadata.boolean("stream", true).integer("offset", static_cast<std::int64_t>(part.offset));
  result.metadata.text("recording", ".asciinema.cast")
      .integer("skipped_bytes", static_cast<std::int64_t>(part.skipped));
  result.metadata.integer("session_generation", static_cast<std::int64_t>(generation));
  return result;
}

ToolResult shown(const ToolContext& context, const TmuxArgs& args) {
  auto& pane = pane_of(context.session);
  if (!pane.started())
    return failed_keys("tmux capture-pane failed: the shell has just ended; call again", Cause::exit);
  if (args.action == "capture") return captured(pane, args);
  return streamed(pane, args, context.session.generation());
}

asio::awaitable<ToolResult> act(ToolContext context, TmuxArgs args) {
  if (args.action == "send_keys") co_return co_await send_keys(std::move(context), std::move(args));
  if (args.action == "start") co_return started(context.session, pane_of(context.session));
  const auto deadline = Deadline::after(now(), context.timeout);
  co_await context.session.show_prompt(deadline);
  co_return shown(context, args);
}

class TmuxTool final : public Tool {
 public:
  std::string_view name() const override { return "tmux"; }
  std::string_view schema() const override {
    return R"({"type":"object","properties":{"action":{"enum":["start","send_keys","capture","stream","stop"]},)"
           R"("pane_width":{"type":"number"},"pane_height":{"type":"number"},)"
           R"("keys":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},"literal":{"type":"boolean"},)"
           R"("block":{"type":"boolean"},"min_wait_s":{"type":"number"},"max_wait_s":{"type":"number"},)"
           R"("capture_entire":{"type":"boolean"},"reset":{"type":"boolean"},"max_bytes":{"type":"number"},)"
           R"("allow_network":{"type":"boolean"},"require_stateful_sandbox":{"type":"boolean"},"require_sandbox":{"type":"boolean"}}})";
  }
  std::optional<std::string> objection(const Json& args) const override {
    const auto read = read_tmux_args(args);
    return read ? std::nullopt : std::optional(read.error());
  }
  asio::awaitable<ToolResult> run(ToolContext context) const override {
    auto args = read_tmux_args(context.args());
    if (!args) co_return refused(args.error());
    if (args->action == "stop") co_return co_await stop(std::move(context));
    auto call = read_session_call(context);
    if (!call) co_return refused_session(kEnsureWords, call.error());
    (void)pane_of(context.session);
    auto wish = std::move(call->wish);
    if (!context.session.live() || args->action == "start") wish.size = args->size;
    const auto deadline = Deadline::after(now(), context.timeout);
    auto ensured = co_await context.session.ensure(std::move(wish), deadline);
    if (!ensured) {
      const auto refusal = refusal_of(ensured.error());
      co_return refused_session(kEnsureWords, refusal);
    }
    if (!is_known(args->action)) co_return refused("Unknown tmux action: " + args->action);
    const bool restarted = *ensured && context.session.generation() > 1;
    auto result = co_await act(std::move(context), std::move(*args));
    if (restarted) result.metadata.boolean("restarted", true);
    result.metadata.boolean("sandboxed", call->policy.sandboxed);
    result.metadata.boolean("network_isolated", call->policy.network_isolated);
    co_return result;
  }

 private:
  static bool is_known(std::string_view action) {
    return action == "start" || action == "send_keys" || action == "capture" || action == "stream";
  }
  static asio::awaitable<ToolResult> stop(ToolContext context) {
    co_await context.session.stop();
    co_return answer("stopped");
  }
};

}  // namespace

std::unique_ptr<Tool> make_tmux_tool() {
  return std::make_unique<TmuxTool>();
}

}  // namespace berth::slotd
