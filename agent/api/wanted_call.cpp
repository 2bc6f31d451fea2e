// SPDX-License-Identifier: Apache-2.0
// From one call's JSON text to what the runtime takes (wire.md 1.9, 1.12). Every number is range-checked here; what the
// arguments mean is the tool's business.
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/api/answers.hpp"
#include "agent/api/call_set.hpp"
#include "base/text.hpp"

namespace berth::agent {
namespace {

// As slotd's own: an object inside an object takes about 160 bytes beside its text.
constexpr JsonBounds kCallBounds{.max_bytes = std::size_t{2} << 20, .max_depth = 64, .max_values = 65'536};
constexpr std::size_t kMostToolName = 128;

const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Expected<void> read_id(const Json& object, WantedCall& wanted) {
  const Json* value = member(object, "execution_id");
  if (value == nullptr) return {};
  if (!value->is_string() || !is_execution_id(value->get_ref<const std::string&>()))
    return fail("bad_execution_id", "execution_id must match [A-Za-z0-9._:-]{1,128}");
  wanted.call.execution_id = value->get<std::string>();
  wanted.id_given = true;
  return {};
}

Expected<void> read_tool(const Json& object, WantedCall& wanted) {
  const auto tool = json_text_at(object, "tool");
  if (!tool || tool->empty() || tool->size() > kMostToolName)
    return fail("bad_request", "tool must be the name of a tool",
                "bash, bash_stateful, read_file, write_file, tmux, exec");
  wanted.call.tool = *tool;
  const Json* args = member(object, "args");
  if (args == nullptr) return {};
  if (!args->is_object()) return fail("bad_request", "args must be an object");
  wanted.call.args = dump_json(*args);
  return {};
}

Expected<void> read_timeout(const Json& object, WantedCall& wanted) {
  const Json* value = member(object, "timeout");
  if (value == nullptr) return {};
  const auto seconds = json_double(*value);
  if (!seconds || !(*seconds > 0) || *seconds > kMaxTimeoutSeconds)
    return fail("bad_timeout", "timeout must be a number of seconds above 0 and at most 3600");
  wanted.call.timeout = Seconds(*seconds);
  return {};
}

Expected<void> read_env(const Json& object, WantedCall& wanted) {
  const Json* value = member(object, "env");
  if (value == nullptr) return {};
  if (!value->is_object()) return fail("bad_request", "env must be an object of strings");
  for (const auto& [name, text] : value->items()) {
    const bool bad_name = name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos;
    if (bad_name || !text.is_string() || text.get_ref<const std::string&>().find('\0') != std::string::npos)
      return fail("bad_request", "env." + name + " cannot be an environment variable");
    wanted.call.env[name] = text.get<std::string>();
  }
  return {};
}

std::optional<std::uint64_t> size_of(const Json& value) {
  if (!value.is_string()) return json_uint(value);
  const auto bytes = parse_size(value.get_ref<const std::string&>());
  return bytes ? std::optional(*bytes) : std::nullopt;
}

Expected<void> read_limits(const Json& object, WantedCall& wanted) {
  const Json* value = member(object, "limits");
  if (value == nullptr) return {};
  if (!value->is_object()) return fail("bad_request", "limits must be an object");
  CallLimits& limits = wanted.call.limits;
  for (const auto& [name, limit] : value->items()) {
    bool good = false;
    if (name == "memory") good = (limits.memory_bytes = size_of(limit)).value_or(0) > 0;
    if (name == "pids") good = (limits.pids = json_uint(limit)).value_or(0) > 0;
    if (name == "cpu_seconds") good = (limits.cpu_seconds = json_double(limit)).value_or(0) > 0;
    if (!good)
      return fail("bad_request", "limits." + name + " is unknown or out of range",
                  "memory (bytes or \"64MiB\"), pids (a whole number), cpu_seconds (a number), all above 0");
  }
  return {};
}

// What this agent allows, beside what any may.
Expected<void> hold_to(Seconds max_timeout, const Json& object, WantedCall& wanted) {
  if (wanted.call.timeout <= max_timeout) return {};
  if (member(object, "timeout") == nullptr) {
    wanted.call.timeout = max_timeout;
    return {};
  }
  return fail("bad_timeout", "timeout is more than this agent's max_timeout",
              "ask for " + std::to_string(std::llround(max_timeout.count())) + " seconds at most");
}

}  // namespace

Expected<WantedCall> parse_wanted_call(std::string_view text, bool batched, Seconds max_timeout) {
  const auto parsed = parse_json(text, kCallBounds);
  if (!parsed) return tl::unexpected(parsed.error().within("the call"));
  WantedCall wanted;
  if (auto keys =
          check_keys(*parsed, {"execution_id", "tool", "args", "timeout", "env", "limits", batched ? "lease" : "tool"});
      !keys)
    return tl::unexpected(keys.error());
  if (batched) {
    const auto lease = json_text_at(*parsed, "lease");
    if (!lease) return fail("bad_request", "lease must be the id of a lease");
    wanted.lease = *lease;
  }
  for (auto* read : {read_id, read_tool, read_timeout, read_env, read_limits}) {
    if (auto done = read(*parsed, wanted); !done) return tl::unexpected(done.error());
  }
  if (auto held = hold_to(max_timeout, *parsed, wanted); !held) return tl::unexpected(held.error());
  return wanted;
}

std::optional<Error> refusal_of(const Result& result) {
  constexpr std::array<std::string_view, 10> kCodes{"execution_id_reused", "result_gone", "ledger_full", "queue_full",
                                                    "stale_generation",    "bad_args",    "bad_call",    "bad_timeout",
                                                    "bad_execution_id",    "too_large"};
  if (result.success || result.metadata.find("\"code\"") == std::string::npos) return std::nullopt;
  const auto metadata = parse_json(result.metadata);
  if (!metadata || json_text_at(*metadata, "cause") != "rejected") return std::nullopt;
  const auto code = json_text_at(*metadata, "code");
  if (!code || std::find(kCodes.begin(), kCodes.end(), *code) == kCodes.end()) return std::nullopt;
  return Error{*code, result.error, {}};
}

}  // namespace berth::agent
