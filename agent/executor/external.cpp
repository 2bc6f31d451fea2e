// SPDX-License-Identifier: Apache-2.0
// Tools that no slot has: asked of the tool server. Such a call never acquires a slot and waits for no other call. One
// that carries a key is made once, however often it is asked for.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "agent/executor/impl.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr JsonBounds kToolServerBounds{.max_bytes = std::size_t{8} << 20, .max_depth = 64, .max_values = 200'000};

Result failed(const std::string& why) {
  return made_result(Cause::protocol, "External tool failed: " + why);
}

Result read_answer(int status, const std::string& body) {
  if (status < 200 || status > 299) return failed("the tool server answered " + std::to_string(status));
  const auto answer = parse_json(body, kToolServerBounds);
  if (!answer) return failed("the tool server's answer is not JSON: " + answer.error().message);
  const auto success = answer->is_object() ? answer->find("success") : answer->end();
  if (!answer->is_object() || success == answer->end() || !success->is_boolean())
    return failed("the tool server's answer has no success");
  Result result;
  result.success = success->get<bool>();
  result.output = json_text_at(*answer, "output").value_or("");
  result.error = json_text_at(*answer, "error").value_or("");
  const auto metadata = answer->find("metadata");
  if (metadata != answer->end() && metadata->is_object()) result.metadata = dump_json(*metadata);
  return result;
}

Json body_of(const CallForm& form) {
  const auto arguments = parse_json(form.arguments);
  return {
      {"trajectory_id", form.trajectory},
      {"timeout_s", form.limit_s},
      {"tool", {{"name", form.tool}, {"uniq_id", form.uniq_id}, {"arguments", arguments.value_or(Json::object())}}}};
}

std::string content_of(const CallForm& form) {
  return sha256_hex(dump_json(Json::array({form.tool, form.arguments, form.limit_s})));
}

Result replayed(Result result) {
  auto metadata = parse_json(result.metadata);
  if (!metadata || !metadata->is_object()) return result;
  (*metadata)["replayed"] = true;
  result.metadata = dump_json(*metadata);
  return result;
}

// What an answer that did not come is told as, and whether the server may have begun with it.
Result result_of_failure(const Error& error) {
  const bool late = error.code == "timeout";
  Result result;
  result.error = "External tool failed: " + (late ? "no answer in time" : error.message);
  Json metadata{{"cause", late ? "timeout" : "transport"}, {"started", "unknown"}};
  if (error.code == "connect") metadata["started"] = false;
  result.metadata = dump_json(metadata);
  return result;
}

}  // namespace

asio::awaitable<Result> Executor::Impl::run_outside(Wanted& wanted) {
  bool reached = false;
  wanted.ticket->outside = true;
  if (!wanted.keyed) co_return co_await ask_tool_server(wanted, reached);
  const KeyedCalls::Key key{wanted.key, wanted.ticket->execution_id};
  const std::string content = content_of(wanted.form);
  auto call = keyed_.find(key, now());
  if (call && call->content != content)
    co_return made_result(Cause::rejected, "The Idempotency-Key stands for a call with other content",
                          "draw a new key for each call");
  if (call) co_return co_await wait_for(wanted, call);
  call = keyed_.begin(key, content);
  Result result = co_await ask_tool_server(wanted, reached);
  if (reached) keyed_.end(call, result, now());
  if (!reached) keyed_.end_unmade(call, result, now());
  co_return result;
}

// By its own deadline: the first one's limit began earlier and is the same.
asio::awaitable<Result> Executor::Impl::wait_for(Wanted& wanted, KeyedCalls::CallPtr call) {
  wanted.ticket->stop = [call] { call->news.cancel(); };
  while (!call->over && !wanted.ticket->cancelled && !wanted.until.expired(now())) {
    asio::steady_timer limit(parts_.context, wanted.until.at());
    limit.async_wait([call](boost::system::error_code error) {
      if (!error) call->news.cancel();
    });
    co_await call->news.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  wanted.ticket->stop = nullptr;
  if (wanted.ticket->cancelled) co_return made_result(Cause::cancelled, wanted.ticket->why);
  if (!call->over) co_return made_result(Cause::timeout, "External tool failed: no answer in time");
  if (call->result) co_return replayed(*call->result);
  co_return made_result(Cause::rejected, "The result of this call is kept no more", "it was made, once");
}

asio::awaitable<Result> Executor::Impl::ask_tool_server(Wanted& wanted, bool& reached) {
  const ToolServer& server = *options_.tool_server;
  Json body = body_of(wanted.form);
  if (const auto lease = parts_.runtime.live_lease(wanted.trajectory->lease)) {
    body["slot_id"] = pool::slot_name(lease->slot);
    const auto link = parts_.runtime.link(lease->container);
    if (link) body["container_addr"] = link->address();
  }
  http::ClientRequest request;
  request.method = "POST";
  request.target = server.target;
  request.body = dump_json(body);
  if (!server.token.empty()) request.fields.emplace_back("Authorization", "Bearer " + server.token);
  if (wanted.keyed) request.fields.emplace_back("Idempotency-Key", wanted.ticket->execution_id);
  const auto connection = std::make_shared<http::ClientConnection>(parts_.context, server.address);
  wanted.ticket->stop = [weak = std::weak_ptr(connection)] {
    if (const auto open = weak.lock()) open->close();
  };
  ++outside_calls_;
  const auto begin = now();
  Expected<std::string> answer;
  const auto head = co_await connection->send(request, wanted.until);
  if (!head) answer = tl::unexpected(head.error());
  if (head) answer = co_await connection->read_body(kToolServerBounds.max_bytes, wanted.until);
  --outside_calls_;
  wanted.ticket->stop = nullptr;
  reached = head || head.error().code != "connect";
  Result result;
  if (answer) result = read_answer(head->status, *answer);
  if (!answer) result = result_of_failure(answer.error());
  if (wanted.ticket->cancelled) result = made_result(Cause::cancelled, wanted.ticket->why);
  note_outside(wanted, answer ? "answered" : cause_word(result), now() - begin);
  co_return result;
}

void Executor::Impl::end_outside_calls() const {
  for (const auto& ticket : trajectories_.tickets())
    if (ticket->outside) ticket->cancel("the agent is stopping");
}

void Executor::Impl::note_outside(const Wanted& wanted, std::string_view outcome, Duration took) {
  parts_.metrics.called_outside(outcome, took);
  if (!log_enabled(LogLevel::debug)) return;
  log(LogLevel::debug, "external call",
      {{"execution", wanted.ticket->execution_id},
       {"trajectory", wanted.form.trajectory},
       {"tool", wanted.form.tool},
       {"outcome", std::string(outcome)}});
}

}  // namespace berth::agent
