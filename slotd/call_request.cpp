// SPDX-License-Identifier: Apache-2.0
#include "slotd/call_request.hpp"

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/text.hpp"
#include "slotd/metadata.hpp"

namespace berth::slotd {
namespace {

using Step = tl::expected<void, Refusal>;

// Values take memory of their own beside their text: an object inside an object about 160 bytes (threats.md row 48
// allows 16 MB for a message).
constexpr std::size_t kValueBytes = 160;

tl::unexpected<Refusal> refuse(std::string error, std::string code = "bad_call") {
  Refusal refusal;
  refusal.error = std::move(error);
  refusal.code = std::move(code);
  return tl::unexpected<Refusal>(std::move(refusal));
}

const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// Unique in this server's life and told apart from another life's; the caller reads it under metadata.execution.
std::string made_id() {
  static const std::string life = random_hex(6);
  static std::uint64_t made = 0;
  return "slotd-" + life + "-" + std::to_string(++made);
}

Step read_id(const Json& object, CallRequest& call) {
  call.id_json = "null";
  const auto* value = member(object, "execution_id");
  if (value != nullptr) call.id_json = dump_json(*value);
  if (value == nullptr || !value->is_string()) {
    call.id = made_id();
    return {};
  }
  call.id = value->get<std::string>();
  call.id_given = true;
  if (!is_execution_id(call.id)) return refuse("execution_id must match [A-Za-z0-9._:-]{1,128}", "bad_execution_id");
  return {};
}

Step read_string(const Json& object, const char* key, std::string& out) {
  const auto* value = member(object, key);
  if (value == nullptr) return {};
  if (!value->is_string()) return refuse(std::string(key) + " must be a string");
  out = value->get<std::string>();
  return {};
}

Step read_args(const Json& object) {
  const auto* value = member(object, "args");
  if (value != nullptr && !value->is_object()) return refuse("args must be an object");
  return {};
}

std::size_t values_in(const Json& value) {
  if (!value.is_structured()) return 1;
  return std::accumulate(value.begin(), value.end(), std::size_t{1},
                         [](std::size_t sum, const Json& inner) { return sum + values_in(inner); });
}

Step read_timeout(const Json& object, CallRequest& call, double max_timeout_seconds) {
  const auto* value = member(object, "timeout");
  if (value == nullptr) return {};
  const auto seconds = json_double(*value);
  if (!seconds || *seconds <= 0 || *seconds > max_timeout_seconds) {
    return refuse("timeout must be a number of seconds above 0 and at most " + dump_json(Json(max_timeout_seconds)),
                  "bad_timeout");
  }
  call.timeout = Seconds(*seconds);
  call.timeout_text = dump_json(*value);
  return {};
}

Step read_env(const Json& object, CallRequest& call) {
  const auto* value = member(object, "env");
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_object()) return refuse("env must be an object of strings");
  for (const auto& [name, text] : value->items()) {
    if (!text.is_string()) return refuse("env." + name + " must be a string");
    const auto& content = text.get_ref<const std::string&>();
    const bool bad_name = name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos;
    if (bad_name || content.find('\0') != std::string::npos)
      return refuse("env: a name or value cannot be an environment variable");
    call.env[name] = content;
  }
  return {};
}

Step read_memory(const Json& value, CallLimits& limits) {
  if (const auto bytes = json_uint(value); bytes && *bytes > 0) {
    limits.memory_bytes = *bytes;
    return {};
  }
  if (value.is_string()) {
    if (const auto bytes = parse_size(value.get_ref<const std::string&>()); bytes && *bytes > 0) {
      limits.memory_bytes = *bytes;
      return {};
    }
  }
  return refuse("limits.memory must be a number of bytes or a size such as \"64MiB\"");
}

Step read_limits(const Json& object, CallRequest& call) {
  const auto* value = member(object, "limits");
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_object()) return refuse("limits must be an object");
  for (const auto& [name, limit] : value->items()) {
    if (name == "memory") {
      if (auto step = read_memory(limit, call.limits); !step) return step;
    } else if (name == "pids") {
      call.limits.pids = json_uint(limit);
      if (call.limits.pids.value_or(0) == 0) return refuse("limits.pids must be a whole number above 0");
    } else if (name == "cpu_seconds") {
      call.limits.cpu_seconds = json_double(limit);
      if (call.limits.cpu_seconds.value_or(0) <= 0) return refuse("limits.cpu_seconds must be a number above 0");
    } else {
      return refuse("limits." + name + " is unknown; known: memory, pids, cpu_seconds");
    }
  }
  return {};
}

Step read_generation(const Json& object, CallRequest& call) {
  const auto* value = member(object, "generation");
  if (value == nullptr || value->is_null()) return {};
  call.generation = json_uint(*value);
  if (!call.generation) return refuse("generation must be a whole number");
  return {};
}

// Replays are recognised by what would run, so the digest leaves out the slot, the generation and the id.
std::string digest_of(const Json& object) {
  std::string content;
  for (const char* key : {"tool", "args", "timeout", "env", "limits"}) {
    if (const auto* value = member(object, key)) content.append(key).append(":").append(dump_json(*value)).append("\n");
  }
  return sha256_hex(content);
}

Step read_all(const Json& object, CallRequest& call, double max_timeout_seconds) {
  if (auto step = read_id(object, call); !step) return step;
  if (auto step = read_string(object, "slot_id", call.slot); !step) return step;
  if (auto step = read_string(object, "tool", call.tool); !step) return step;
  if (auto step = read_generation(object, call); !step) return step;
  if (auto step = read_timeout(object, call, max_timeout_seconds); !step) return step;
  if (auto step = read_env(object, call); !step) return step;
  if (auto step = read_limits(object, call); !step) return step;
  return read_args(object);
}

}  // namespace

tl::expected<CallRequest, Refusal> parse_call_request(std::string_view text, double max_timeout_seconds) {
  auto object = parse_json(text, kCallBounds);
  if (!object || !object->is_object()) {
    auto refusal = refuse(object ? "Expected an object" : "Invalid JSON", object ? "bad_call" : object.error().code);
    refusal.value().five_keys = false;
    return refusal;
  }
  CallRequest call;
  call.request_bytes = text.size();
  if (auto step = read_all(*object, call, max_timeout_seconds); !step) {
    step.error().id_json = call.id_json;
    return tl::unexpected<Refusal>(std::move(step.error()));
  }
  if (call.id_given) call.digest = digest_of(*object);
  call.memory_bytes = text.size() + values_in(*object) * kValueBytes;
  // Moved, never copied: the values of a hostile call take several times its text.
  auto args = object->find("args");
  call.args = std::make_shared<const Json>(args == object->end() ? Json::object() : std::move(*args));
  return call;
}

Finished finished_refusal(const Refusal& refusal) {
  Metadata metadata;
  metadata.text("cause", to_string(refusal.cause)).boolean("started", false);
  if (!refusal.code.empty()) metadata.text("code", refusal.code);
  return Finished{false, "", refusal.error, metadata.str()};
}

}  // namespace berth::slotd
