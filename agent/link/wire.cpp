// SPDX-License-Identifier: Apache-2.0
#include "agent/link/wire.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::agent {
namespace {

constexpr JsonBounds kLineBounds{std::size_t{8} << 20, 32, 100'000};
constexpr std::size_t kQuoted = 200;  // how much of a foreign text an error message repeats

tl::unexpected<Error> broken(std::string_view what, std::string_view text) {
  return fail("protocol", std::string(what) + ": " + to_valid_utf8(text.substr(0, kQuoted)),
              "the slot server does not speak this version's protocol; see its log");
}

std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::uint64_t> uint_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : json_uint(*found);
}

// Whole seconds are written without a fraction: the server repeats the number in its texts as it was given.
Json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return Json(static_cast<std::int64_t>(value));
  return Json(value);
}

Expected<Line> parse_result(const Json& object, std::string_view text) {
  ResultLine line;
  const auto index = uint_of(object, "index");
  const auto id = text_of(object, "execution_id");
  const auto output = text_of(object, "output");
  const auto error = text_of(object, "error");
  const auto success = object.find("success");
  const auto metadata = object.find("metadata");
  const bool complete = index && id && output && error && success != object.end() && success->is_boolean() &&
                        metadata != object.end() && metadata->is_object();
  if (!complete) return broken("a result line lacks a key or has one of the wrong type", text);
  line.index = static_cast<std::size_t>(*index);
  line.result = Result{success->get<bool>(), *output, *error, *id, dump_json(*metadata)};
  return line;
}

Expected<Line> parse_output(const Json& object, std::string_view text) {
  OutputLine line;
  const auto id = text_of(object, "execution_id");
  const auto stream = text_of(object, "stream");
  const auto offset = uint_of(object, "offset");
  if (!id || !stream || !offset) return broken("an output line lacks a key", text);
  const bool known = *stream == "stdout" || *stream == "stderr" || *stream == "terminal";
  if (!known) return broken("an output line names an unknown stream", text);
  auto bytes = text_of(object, "text");
  if (const auto encoded = text_of(object, "base64"); encoded && !bytes) bytes = base64_decode(*encoded);
  if (!bytes) return broken("an output line has neither text nor base64", text);
  return OutputLine{*id, *stream, *offset, std::move(*bytes)};
}

void encode_limits(const CallLimits& limits, Json& element) {
  Json object = Json::object();
  if (limits.memory_bytes) object["memory"] = *limits.memory_bytes;
  if (limits.pids) object["pids"] = *limits.pids;
  if (limits.cpu_seconds) object["cpu_seconds"] = number(*limits.cpu_seconds);
  if (!object.empty()) element["limits"] = std::move(object);
}

std::vector<std::string> texts_of(const Json& object, const char* key) {
  std::vector<std::string> result;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return result;
  for (const Json& entry : *found)
    if (entry.is_string()) result.push_back(entry.get<std::string>());
  return result;
}

}  // namespace

std::string encode_call(const Call& call) {
  Json element{{"slot_id", call.slot},
               {"tool", call.tool},
               {"execution_id", call.execution_id},
               {"timeout", number(call.timeout.count())}};
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

std::string encode_reset(std::string_view slot, std::uint64_t generation) {
  return dump_json(Json{{"slot_id", std::string(slot)}, {"generation", generation}});
}

Expected<Line> parse_line(std::string_view text) {
  auto parsed = parse_json(text, kLineBounds);
  if (!parsed) return broken("a line is not JSON (" + parsed.error().message + ")", text);
  if (!parsed->is_object()) return broken("a line is not a JSON object", text);
  const auto type = text_of(*parsed, "type");
  if (!type) return broken("a line has no type", text);
  if (*type == "result") return parse_result(*parsed, text);
  if (*type == "output") return parse_output(*parsed, text);
  if (*type == "ping" || *type == "start") return PingLine{};
  const auto results = uint_of(*parsed, "results");
  if (*type == "end" && results) return EndLine{static_cast<std::size_t>(*results)};
  return broken("a line has an unknown type", text);
}

Error error_of_answer(int status, std::string_view body) {
  Error error{"status_" + std::to_string(status), to_valid_utf8(trim(body.substr(0, kQuoted))), {}};
  auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return error;
  const auto inner = parsed->find("error");
  if (inner == parsed->end()) return error;
  if (inner->is_object()) {
    error.code = text_of(*inner, "code").value_or(error.code);
    error.message = text_of(*inner, "message").value_or(error.message);
    error.hint = text_of(*inner, "hint").value_or("");
    return error;
  }
  if (inner->is_string()) error.message = inner->get<std::string>();
  error.code = text_of(*parsed, "code").value_or(error.code);
  return error;
}

std::optional<Error> error_of_reset(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return broken("the answer to a reset is not a JSON object", body).value();
  const auto success = parsed->find("success");
  if (success == parsed->end() || !success->is_boolean())
    return broken("the answer to a reset has no success", body).value();
  if (success->get<bool>()) return std::nullopt;
  return Error{"reset_failed", text_of(*parsed, "error").value_or("no reason given"), {}};
}

Result agent_result(const Call& call, Cause cause, std::string message, Started started, std::string_view code) {
  Json metadata{{"cause", std::string(to_string(cause))}};
  if (started == Started::no) metadata["started"] = false;
  if (started == Started::unknown) metadata["started"] = "unknown";
  if (!code.empty()) metadata["code"] = std::string(code);
  return Result{false, {}, std::move(message), call.execution_id, dump_json(metadata)};
}

Expected<HealthFacts> parse_health(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return broken("/health is not a JSON object", body);
  HealthFacts facts;
  facts.status = text_of(*parsed, "status").value_or("");
  facts.boot_id = text_of(*parsed, "boot_id").value_or("");
  facts.version = text_of(*parsed, "version").value_or("");
  facts.slots = static_cast<unsigned>(std::min<std::uint64_t>(uint_of(*parsed, "slots").value_or(0), 65535));
  if (facts.status.empty()) return broken("/health has no status", body);
  const auto isolation = parsed->find("isolation");
  if (isolation == parsed->end() || !isolation->is_object()) return facts;
  facts.isolation = text_of(*isolation, "level").value_or("");
  facts.missing = texts_of(*isolation, "missing");
  facts.notes = texts_of(*isolation, "notes");
  return facts;
}

}  // namespace berth::agent
