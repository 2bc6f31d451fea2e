// SPDX-License-Identifier: Apache-2.0
// POST /execute and /release. A trajectory's calls take turns until they are handed to its slot, so they run in the
// order of their arrival; no trajectory waits for another one's slot.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>

#include "agent/api/answers.hpp"
#include "agent/events/call_note.hpp"
#include "agent/executor/impl.hpp"
#include "agent/executor/policy.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

std::string answer_json(const Result& result, const std::string& uniq_id) {
  std::string text = result.success ? R"({"success": true, "output": )" : R"({"success": false, "output": )";
  append_json_string(text, result.output);
  text += R"(, "error": )";
  append_json_string(text, result.error);
  text += R"(, "metadata": )" + result.metadata + R"(, "uniq_id": )";
  append_json_string(text, uniq_id);
  return text + "}";
}

Result refused_result(const Error& error) {
  Result result;
  result.error = error.message;
  result.metadata = dump_json(Json{{"cause", "rejected"}, {"code", error.code}, {"hint", error.hint}});
  return result;
}

}  // namespace

Result made_result(Cause cause, std::string error, std::string_view hint) {
  Result result;
  result.error = std::move(error);
  Json metadata{{"cause", std::string(to_string(cause))}};
  if (!hint.empty()) metadata["hint"] = std::string(hint);
  result.metadata = dump_json(metadata);
  return result;
}

asio::awaitable<void> Executor::Impl::post_execute(http::Exchange& exchange, const Caller& caller) {
  const auto body = co_await read_body(exchange);
  if (!body) co_return;
  auto form = read_call_form(*body);
  if (!form) co_return co_await send_json(exchange, 422, std::move(form.error()));
  const auto key = exchange.head().field("idempotency-key");
  if (key && !is_execution_id(*key)) {
    std::string fault = header_fault("Idempotency-Key", "it must match [A-Za-z0-9._:-]{1,128}");
    co_return co_await send_json(exchange, 422, std::move(fault));
  }
  const auto admission = book_.admit(caller, body->size());
  if (!admission) parts_.metrics.call_refused(admission.error().code);
  if (!admission) co_return co_await send_detail(exchange, 429, admission.error().message);
  ++requests_;
  const Deadline until = Deadline::after(now(), Seconds(form->limit_s));
  const Trajectories::Key trajectory_key{caller.name, form->trajectory};
  Wanted wanted{trajectory_key, caller, *std::move(form), {}, std::make_shared<Ticket>(), until, key.has_value()};
  wanted.ticket->execution_id = key ? std::string(*key) : random_hex(16);
  wanted.trajectory = trajectories_.get(wanted.key);
  wanted.trajectory->tickets.insert(wanted.ticket);
  exchange.on_disconnect(
      [weak = weak_from_this(), trajectory = std::weak_ptr(wanted.trajectory), ticket = std::weak_ptr(wanted.ticket)] {
        if (const auto self = weak.lock()) self->let_go(trajectory, ticket);
      });
  const Result result = co_await run(wanted);
  wanted.ticket->done = true;
  wanted.trajectory->tickets.erase(wanted.ticket);
  trajectories_.tidy(wanted.key, wanted.trajectory);
  if (!result.success) ++errors_;
  if (wanted.ticket->queue_full) co_return co_await send_detail(exchange, 429, result.error);
  co_await send_json(exchange, 200, answer_json(result, wanted.form.uniq_id));
}

asio::awaitable<Result> Executor::Impl::run(Wanted& wanted) {
  const std::string& tool = wanted.form.tool;
  if (slot_tool(tool)) co_return co_await run_in_slot(wanted);
  if (!is_reserved(tool) && options_.tool_server) co_return co_await run_outside(wanted);
  std::string hint;
  if (!is_reserved(tool)) hint = "External tool not available (ToolServer not configured): " + tool;
  co_return made_result(Cause::rejected, "Unknown tool: " + tool, hint);
}

asio::awaitable<Result> Executor::Impl::run_in_slot(Wanted& wanted) {
  const jobs::Job* job = default_job();
  if (job == nullptr)
    co_return made_result(Cause::rejected, "No default job",
                          "set default_job in the agent's configuration to a job that is applied");
  const SlotTool tool = *slot_tool(wanted.form.tool);
  auto arguments = apply_policy(tool, wanted.form.arguments, *job);
  if (!arguments) co_return made_result(Cause::rejected, arguments.error().message, arguments.error().hint);
  LeaseCall call;
  call.execution_id = wanted.ticket->execution_id;
  call.tool = std::string(tool.slot_name);
  call.args = *std::move(arguments);
  call.timeout = std::min(Seconds(wanted.form.limit_s), options_.max_timeout);
  auto turn = co_await wanted.trajectory->turns->take(wanted.until);
  if (wanted.ticket->cancelled) co_return made_result(Cause::cancelled, wanted.ticket->why);
  if (!turn) co_return made_result(Cause::timeout, "Failed to acquire slot: earlier calls still wait for one");
  auto lease = co_await lease_for(wanted);
  if (!lease) co_return std::move(lease.error());
  const auto answer = std::make_shared<http::Promise<ResultOf>>(parts_.context);
  wanted.ticket->stop = [weak = weak_from_this(), lease = *lease, id = wanted.ticket->execution_id] {
    const auto self = weak.lock();
    if (!self) return;
    auto end = [](std::shared_ptr<Impl> alive, std::string in, std::string execution) -> asio::awaitable<void> {
      (void)co_await alive->parts_.runtime.cancel(std::move(in), std::move(execution));
    };
    asio::co_spawn(self->parts_.context, end(self, lease, id), asio::detached);
  };
  asio::co_spawn(parts_.context, Impl::call(shared_from_this(), *lease, std::move(call), answer), asio::detached);
  turn.reset();
  auto result = co_await answer->wait(Deadline());
  wanted.ticket->stop = nullptr;
  co_return result_of(wanted, *lease, *std::move(result));
}

asio::awaitable<void> Executor::Impl::call(std::shared_ptr<Impl> self, std::string lease, LeaseCall call,
                                           std::shared_ptr<http::Promise<ResultOf>> answer) {
  const CallNote note{lease, call.execution_id, call.tool, now()};
  auto result = co_await self->parts_.runtime.call(std::move(lease), std::move(call));
  note_call(self->parts_.metrics, note, result);
  answer->set(std::move(result));
}

Result Executor::Impl::result_of(Wanted& wanted, const std::string& lease, ResultOf answer) {
  if (answer) return *std::move(answer);
  const Error& error = answer.error();
  if (wanted.ticket->cancelled) return made_result(Cause::cancelled, wanted.ticket->why);
  wanted.ticket->queue_full = error.code == "queue_full";
  if (error.code != "lease_ended" && error.code != "unknown_lease") return refused_result(error);
  if (wanted.trajectory->lease == lease) wanted.trajectory->lease.clear();
  return made_result(Cause::slot_lost, "The trajectory's slot is gone: " + error.message,
                     "the next call gets a new, empty slot");
}

asio::awaitable<tl::expected<std::string, Result>> Executor::Impl::lease_for(Wanted& wanted) {
  const std::string held = wanted.trajectory->lease;
  if (held.empty()) co_return co_await acquire(wanted);
  const auto live = parts_.runtime.live_lease(held);
  if (live) co_return held;
  co_return tl::unexpected(result_of(wanted, held, tl::unexpected(live.error())));
}

asio::awaitable<tl::expected<std::string, Result>> Executor::Impl::acquire(Wanted& wanted) {
  AcquireRequest request;
  request.job = options_.default_job;
  request.trajectory = wanted.form.trajectory;
  request.owner = wanted.caller.name;
  request.wait = wanted.until;
  request.ready_by = wanted.until;
  request.max_slots = wanted.caller.slots;
  const auto begin = now();
  const auto number = parts_.runtime.new_request();
  wanted.ticket->stop = [&runtime = parts_.runtime, number] { runtime.cancel_acquire(number); };
  const auto granted = co_await parts_.runtime.lease(number, std::move(request));
  wanted.ticket->stop = nullptr;
  parts_.metrics.acquired(granted ? granted->existing ? "again" : "granted" : granted.error().error.code,
                          now() - begin);
  if (wanted.ticket->cancelled) {
    if (granted && !granted->existing) parts_.runtime.release(granted->lease.id);
    co_return tl::unexpected(made_result(Cause::cancelled, wanted.ticket->why));
  }
  if (!granted) {
    const Error& error = granted.error().error;
    co_return tl::unexpected(made_result(Cause::rejected, "Failed to acquire slot: " + error.message, error.hint));
  }
  wanted.trajectory->lease = granted->lease.id;
  co_return granted->lease.id;
}

void Executor::Impl::let_go(const std::weak_ptr<Trajectory>& trajectory, const std::weak_ptr<Ticket>& ticket) {
  const auto gone = ticket.lock();
  if (!gone) return;
  gone->vanished = true;
  const auto pause = std::make_shared<asio::steady_timer>(parts_.context, options_.vanish_grace);
  pause->async_wait([trajectory, ticket, pause](boost::system::error_code) {
    const auto still = ticket.lock();
    const auto its = trajectory.lock();
    if (!still || still->done || !its || its->is_wanted(still->execution_id)) return;
    still->cancel("the caller went away");
  });
}

asio::awaitable<void> Executor::Impl::post_release(http::Exchange& exchange, const Caller& caller) {
  const auto body = co_await read_body(exchange);
  if (!body) co_return;
  auto named = read_release_form(*body);
  if (!named) co_return co_await send_json(exchange, 422, std::move(named.error()));
  const Trajectories::Key key{caller.name, *named};
  const auto trajectory = trajectories_.take(key);
  keyed_.forget(key);
  if (trajectory) {
    const auto tickets = trajectory->tickets;
    const std::string lease = std::exchange(trajectory->lease, "");
    if (!lease.empty()) parts_.runtime.release(lease);
    for (const auto& ticket : tickets) ticket->cancel("the trajectory was released");
  }
  co_await send_json(exchange, 200, R"({"status": "ok"})");
}

}  // namespace berth::agent
