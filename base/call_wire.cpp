// SPDX-License-Identifier: Apache-2.0
#include "base/call_wire.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace berth {
namespace {

constexpr JsonBounds kLineBounds{std::size_t{8} << 20, 32, 100'000};
constexpr std::size_t kQuoted = 200;  // how much of a foreign text an error message repeats

// Whole seconds are written without a fraction: the server repeats the number in its texts as it was given.
Json number_of(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return Json(static_cast<std::int64_t>(value));
  return Json(value);
}

void encode_limits(const CallLimits& limits, Json& element) {
  Json object = Json::object();
  if (limits.memory_bytes) object["memory"] = *limits.memory_bytes;
  if (limits.pids) object["pids"] = *limits.pids;
  if (limits.cpu_seconds) object["cpu_seconds"] = number_of(*limits.cpu_seconds);
  if (!object.empty()) element["limits"] = std::move(object);
}

std::optional<Result> five_keys(const Json& object) {
  if (!object.is_object()) return std::nullopt;
  auto id = json_text_at(object, "execution_id");
  auto output = json_text_at(object, "output");
  auto error = json_text_at(object, "error");
  const auto success = object.find("success");
  const auto metadata = object.find("metadata");
  const bool complete = id && output && error && success != object.end() && success->is_boolean() &&
                        metadata != object.end() && metadata->is_object();
  if (!complete) return std::nullopt;
  return Result{success->get<bool>(), std::move(*output), std::move(*error), std::move(*id), dump_json(*metadata)};
}

Expected<Line> parse_result_line(const Json& object, std::string_view text) {
  const auto index = json_uint_at(object, "index");
  auto result = five_keys(object);
  if (!index || !result) return not_the_protocol("a result line lacks a key or has one of the wrong type", text);
  return ResultLine{static_cast<std::size_t>(*index), std::move(*result)};
}

Expected<Line> parse_output_line(const Json& object, std::string_view text) {
  const auto id = json_text_at(object, "execution_id");
  const auto stream = json_text_at(object, "stream");
  const auto offset = json_uint_at(object, "offset");
  if (!id || !stream || !offset) return not_the_protocol("an output line lacks a key", text);
  const bool known = *stream == "stdout" || *stream == "stderr" || *stream == "terminal";
  if (!known) return not_the_protocol("an output line names an unknown stream", text);
  auto bytes = json_text_at(object, "text");
  if (const auto encoded = json_text_at(object, "base64"); encoded && !bytes) bytes = base64_decode(*encoded);
  if (!bytes) return not_the_protocol("an output line has neither text nor base64", text);
  return OutputLine{*id, *stream, *offset, std::move(*bytes)};
}

}  // namespace

tl::unexpected<Error> not_the_protocol(std::string_view what, std::string_view text) {
  return fail("protocol", std::string(what) + ": " + to_valid_utf8(text.substr(0, kQuoted)),
              "the slot server does not speak this version's protocol; see its log");
}

std::string encode_call(const Call& call) {
  Json element{{"slot_id", call.slot},
               {"tool", call.tool},
               {"execution_id", call.execution_id},
               {"timeout", number_of(call.timeout.count())}};
  if (call.generation) element["generation"] = *call.generation;
  if (!call.env.empty()) element["env"] = call.env;
  encode_limits(call.limits, element);
  std::string text = dump_json(element);
  // The arguments stay the text they are: only the tool parses them.
  text.pop_back();
  text += ",\"args\":";
  text += call.args;
  text += '}';
  return text;
}

Expected<Line> parse_line(std::string_view text) {
  auto parsed = parse_json(text, kLineBounds);
  if (!parsed) return not_the_protocol("a line is not JSON (" + parsed.error().message + ")", text);
  if (!parsed->is_object()) return not_the_protocol("a line is not a JSON object", text);
  const auto type = json_text_at(*parsed, "type");
  if (!type) return not_the_protocol("a line has no type", text);
  if (*type == "result") return parse_result_line(*parsed, text);
  if (*type == "output") return parse_output_line(*parsed, text);
  if (*type == "start") return StartLine{json_text_at(*parsed, "execution_id").value_or("")};
  if (*type == "ping") return PingLine{};
  const auto results = json_uint_at(*parsed, "results");
  if (*type == "end" && results) return EndLine{static_cast<std::size_t>(*results)};
  return not_the_protocol("a line has an unknown type", text);
}

// What is wrong with a line beside those before it; nothing when it fits.
std::optional<std::string> BatchLines::lie(const Line& line) const {
  if (ended_) return "a line after the end line";
  if (const auto* result = std::get_if<ResultLine>(&line)) {
    if (result->index >= ids_.size())
      return "a result for place " + std::to_string(result->index) + " of " + std::to_string(ids_.size());
    if (ids_[result->index] != result->result.execution_id) return "a result with another call's execution id";
    if (received_[result->index]) return "a second result for the same call";
  }
  if (const auto* output = std::get_if<OutputLine>(&line)) {
    const auto running = [&](std::size_t i) { return ids_[i] == output->execution_id && !received_[i]; };
    bool known = false;
    for (std::size_t i = 0; i < ids_.size() && !known; ++i) known = running(i);
    if (!known) return "output of a call that is not running";
  }
  if (const auto* end = std::get_if<EndLine>(&line)) {
    const bool all = std::find(received_.begin(), received_.end(), false) == received_.end();
    if (!all || end->results != ids_.size()) return "the end line came before every result";
  }
  return std::nullopt;
}

Expected<Line> BatchLines::take(std::string_view text) {
  auto line = parse_line(text);
  if (!line) return line;
  if (auto why = lie(*line)) return fail("protocol", std::move(*why));
  if (const auto* result = std::get_if<ResultLine>(&*line)) received_[result->index] = true;
  ended_ = std::holds_alternative<EndLine>(*line);
  return line;
}

Expected<Result> parse_result(const Json& object, std::string_view execution_id) {
  auto result = five_keys(object);
  if (!result) return fail("protocol", "a result lacks a key or has one of the wrong type");
  if (result->execution_id != execution_id) return fail("protocol", "a result with another call's execution id");
  return std::move(*result);
}

Error error_of_answer(int status, std::string_view body) {
  Error error{"status_" + std::to_string(status), to_valid_utf8(trim(body.substr(0, kQuoted))), {}};
  auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return error;
  const auto inner = parsed->find("error");
  if (inner == parsed->end()) return error;
  if (inner->is_object()) {
    error.code = json_text_at(*inner, "code").value_or(error.code);
    error.message = json_text_at(*inner, "message").value_or(error.message);
    error.hint = json_text_at(*inner, "hint").value_or("");
    return error;
  }
  if (inner->is_string()) error.message = inner->get<std::string>();
  error.code = json_text_at(*parsed, "code").value_or(error.code);
  return error;
}

Result local_result(const Call& call, Cause cause, std::string message, Started started, std::string_view code) {
  Json metadata{{"cause", std::string(to_string(cause))}};
  if (started == Started::no) metadata["started"] = false;
  if (started == Started::unknown) metadata["started"] = "unknown";
  if (!code.empty()) metadata["code"] = std::string(code);
  return Result{false, {}, std::move(message), call.execution_id, dump_json(metadata)};
}

}  // namespace berth
