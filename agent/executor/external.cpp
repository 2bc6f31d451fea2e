// SPDX-License-Identifier: Apache-2.0
// Tools that no slot has: asked of the tool server. Such a call never acquires a slot and waits for no other call.
#include <nlohmann/json.hpp>

#include "agent/executor/impl.hpp"
#include "base/json.hpp"

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

}  // namespace

asio::awaitable<Result> Executor::Impl::run_outside(Wanted& wanted) {
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
  const auto connection = std::make_shared<http::ClientConnection>(parts_.context, server.address);
  wanted.ticket->stop = [weak = std::weak_ptr(connection)] {
    if (const auto open = weak.lock()) open->close();
  };
  Expected<std::string> answer;
  const auto head = co_await connection->send(request, wanted.until);
  if (!head) answer = tl::unexpected(head.error());
  if (head) answer = co_await connection->read_body(kToolServerBounds.max_bytes, wanted.until);
  wanted.ticket->stop = nullptr;
  if (wanted.ticket->cancelled) co_return made_result(Cause::cancelled, wanted.ticket->why);
  if (answer) co_return read_answer(head->status, *answer);
  const Error& error = answer.error();
  if (error.code == "timeout") co_return made_result(Cause::timeout, "External tool failed: no answer in time");
  co_return made_result(Cause::transport, "External tool failed: " + error.message);
}

}  // namespace berth::agent
