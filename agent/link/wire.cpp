// SPDX-License-Identifier: Apache-2.0
#include "agent/link/wire.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::agent {
namespace {

std::vector<std::string> texts_of(const Json& object, const char* key) {
  std::vector<std::string> result;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return result;
  for (const Json& entry : *found)
    if (entry.is_string()) result.push_back(entry.get<std::string>());
  return result;
}

}  // namespace

std::string encode_reset(std::string_view slot, std::uint64_t generation) {
  return dump_json(Json{{"slot_id", std::string(slot)}, {"generation", generation}});
}

std::optional<Error> error_of_reset(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object())
    return not_the_protocol("the answer to a reset is not a JSON object", body).value();
  const auto success = parsed->find("success");
  if (success == parsed->end() || !success->is_boolean())
    return not_the_protocol("the answer to a reset has no success", body).value();
  if (success->get<bool>()) return std::nullopt;
  return Error{"reset_failed", json_text_at(*parsed, "error").value_or("no reason given"), {}};
}

Expected<HealthFacts> parse_health(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return not_the_protocol("/health is not a JSON object", body);
  HealthFacts facts;
  facts.status = json_text_at(*parsed, "status").value_or("");
  facts.boot_id = json_text_at(*parsed, "boot_id").value_or("");
  facts.version = json_text_at(*parsed, "version").value_or("");
  facts.slots = static_cast<unsigned>(std::min<std::uint64_t>(json_uint_at(*parsed, "slots").value_or(0), 65535));
  if (facts.status.empty()) return not_the_protocol("/health has no status", body);
  const auto isolation = parsed->find("isolation");
  if (isolation == parsed->end() || !isolation->is_object()) return facts;
  facts.isolation = json_text_at(*isolation, "level").value_or("");
  facts.missing = texts_of(*isolation, "missing");
  facts.notes = texts_of(*isolation, "notes");
  return facts;
}

}  // namespace berth::agent
