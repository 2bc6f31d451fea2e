// SPDX-License-Identifier: Apache-2.0
#include "client/calls.hpp"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::client {
namespace {

constexpr JsonBounds kReplyBounds{std::size_t{8} << 20, 32, 100'000};
constexpr std::string_view kSilentFailure = "the slot server gave no reason";

std::string seconds_text(Seconds seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%gs", seconds.count());
  return text;
}

bool is_refusal(int status) {
  return status >= 400 && status < 500;
}

// The server's own result, also where its status is a refusal; nothing when the body is not one.
std::optional<Expected<Result>> own_result(const Call& call, const http::WholeResponse& answer) {
  const int status = answer.head.status;
  if (!is_json(answer.head) || (status != 200 && !is_refusal(status))) return std::nullopt;
  const auto object = parse_json(answer.body, kReplyBounds);
  if (!object) return status == 200 ? std::optional<Expected<Result>>(tl::unexpected(object.error())) : std::nullopt;
  auto result = parse_result(*object, call.execution_id);
  if (status == 200) return result;
  if (!result || result->success) return std::nullopt;
  return result;
}

Result read_answer(const Call& call, const Answer& answer, Seconds limit) {
  if (!answer.response)
    return result_of(call, setback_of(answer.response.error(), answer.unsure), answer.attempts, limit);
  if (auto result = own_result(call, *answer.response)) {
    if (*result) return with_text(std::move(**result));
    const Error lie = result->error().within("the answer is not a result");
    return result_of(call, Setback{lie, Cause::protocol, true}, answer.attempts, limit);
  }
  return result_of(call, setback_of_answer(*answer.response, answer.unsure), answer.attempts, limit);
}

// The answer to a reset has no execution id; otherwise it is a result.
Result read_reset(const Call& none, const Answer& answer, Seconds limit) {
  if (!answer.response)
    return result_of(none, setback_of(answer.response.error(), answer.unsure), answer.attempts, limit);
  const auto object = parse_json(answer.response->body, kReplyBounds);
  const bool whole = answer.response->head.status == 200 && is_json(answer.response->head) && object &&
                     object->is_object() && object->contains("success") && object->at("success").is_boolean();
  if (!whole) return result_of(none, setback_of_answer(*answer.response, answer.unsure), answer.attempts, limit);
  Result result;
  result.success = object->at("success").get<bool>();
  result.output = json_text_at(*object, "output").value_or("");
  result.error = json_text_at(*object, "error").value_or("");
  const auto metadata = object->find("metadata");
  if (metadata != object->end() && metadata->is_object()) result.metadata = dump_json(*metadata);
  return with_text(std::move(result));
}

}  // namespace

Result with_text(Result result) {
  if (!result.success && result.error.empty()) result.error = kSilentFailure;
  return result;
}

std::optional<Result> refuse_call(Call& call) {
  const auto no = [&call](std::string why) { return local_result(call, Cause::rejected, std::move(why), Started::no); };
  if (call.execution_id.empty()) call.execution_id = "call-" + random_hex(16);
  if (!is_execution_id(call.execution_id)) return no("execution_id must match [A-Za-z0-9._:-]{1,128}");
  if (!std::isfinite(call.timeout.count())) return no("timeout must be a number of seconds");
  // Other calls' text stands beside it in a batch.
  const auto args = parse_json(call.args, kReplyBounds);
  if (!args) return no("args is not JSON: " + args.error().message);
  if (!args->is_object()) return no("args must be a JSON object");
  return std::nullopt;
}

std::string failure_text(const Error& error, unsigned attempts, Seconds limit) {
  if (error.code == "timeout") return "Request timed out after " + seconds_text(limit) + ": " + error.message;
  const std::string count = std::to_string(attempts) + (attempts == 1 ? " attempt: " : " attempts: ");
  return "Failed after " + count + error.message;
}

Setback setback_of(const Error& error, bool unsure) {
  if (error.code == "protocol") return Setback{error, Cause::protocol, unsure};
  if (error.code == "restarted") return Setback{error, Cause::container_lost, unsure};
  return Setback{error, Cause::transport, unsure};
}

Setback setback_of_answer(const http::WholeResponse& answer, bool unsure) {
  const int status = answer.head.status;
  Error error = error_of_answer(status, answer.body);
  if (error.code == "wrong_boot") return Setback{error, Cause::container_lost, unsure};
  if (status == 401 || status == 403) error.hint = "give the server's token in ClientOptions::token";
  error = error.within("the slot server answered " + std::to_string(status));
  if (is_refusal(status) || is_busy(status)) return Setback{error, Cause::rejected, unsure};
  return Setback{error, Cause::protocol, true};
}

Result result_of(const Call& call, const Setback& setback, unsigned attempts, Seconds limit) {
  const bool plain = setback.cause == Cause::rejected || setback.cause == Cause::container_lost;
  std::string text = plain ? setback.error.message : failure_text(setback.error, attempts, limit);
  if (!setback.error.hint.empty()) text += " (" + setback.error.hint + ")";
  return local_result(call, setback.cause, std::move(text), setback.unsure ? Started::unknown : Started::no,
                      setback.error.code);
}

asio::awaitable<Result> execute(Engine& engine, std::string address, Call call) {
  if (auto refused = refuse_call(call)) co_return std::move(*refused);
  auto server = engine.server(address);
  if (!server) co_return local_result(call, Cause::rejected, server.error().message, Started::no, server.error().code);
  Ask ask;
  ask.request.method = "POST";
  ask.request.target = "/execute";
  ask.request.body = encode_call(call);
  ask.limit = call.timeout + engine.options().answer_margin;
  ask.slot = call.slot;
  const Seconds limit = ask.limit;
  const Answer answer = co_await engine.ask(*server, std::move(ask));
  co_return read_answer(call, answer, limit);
}

asio::awaitable<Result> reset_slot(Engine& engine, SlotPlace place) {
  const Call none;
  auto server = engine.server(place.address);
  if (!server) co_return local_result(none, Cause::rejected, server.error().message, Started::no, server.error().code);
  Json body{{"slot_id", place.slot}};
  if (place.generation) body["generation"] = *place.generation;
  Ask ask;
  ask.request.method = "POST";
  ask.request.target = "/reset";
  ask.request.body = dump_json(body);
  ask.limit = engine.options().request_timeout;
  ask.repeat = place.generation ? Repeat::always : Repeat::unsent;
  ask.slot = place.slot;
  ask.needs_slot_as_it_was = false;
  const Seconds limit = ask.limit;
  const Answer answer = co_await engine.ask(*server, std::move(ask));
  Result result = read_reset(none, answer, limit);
  if (result.success) (*server)->slot_boots.erase(place.slot);
  co_return std::move(result);
}

}  // namespace berth::client
