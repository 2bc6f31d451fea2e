// SPDX-License-Identifier: Apache-2.0
// The JSON schema, from the table of keys.
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "jobs/keys.hpp"

namespace berth::jobs {
namespace {

constexpr const char* kSizePattern = "^[0-9]+(B|[kMGTP]B|[KMGTP]iB)$";
constexpr const char* kDurationPattern =
    "^(?=[0-9])([0-9]+(\\.[0-9]+)?d)?([0-9]+(\\.[0-9]+)?h)?([0-9]+(\\.[0-9]+)?m)?([0-9]+(\\.[0-9]+)?s)?"
    "([0-9]+(\\.[0-9]+)?ms)?$";

Json object_schema(const ObjectRule& rule);

Json text_schema(std::string_view pattern) {
  Json schema{{"type", "string"}};
  if (pattern.empty()) {
    schema["minLength"] = 1;
  } else {
    schema["pattern"] = '^' + std::string(pattern) + '$';
  }
  return schema;
}

Json scalar_schema() {
  return {{"type", {"string", "number", "boolean"}}};
}

Json value_schema(const KeyRule& rule) {
  const auto [min, max] = rule.range;
  switch (rule.shape) {
    case Shape::text: return text_schema(rule.pattern);
    case Shape::scalar: return scalar_schema();
    case Shape::flag: return {{"type", "boolean"}};
    case Shape::integer:
      return {{"type", "integer"},
              {"minimum", static_cast<std::int64_t>(min)},
              {"maximum", static_cast<std::int64_t>(max)}};
    case Shape::number: return {{"type", "number"}, {"minimum", min}, {"maximum", max}};
    case Shape::size: return {{"type", "string"}, {"pattern", kSizePattern}};
    case Shape::duration: return {{"type", "string"}, {"pattern", kDurationPattern}};
    case Shape::word: return {{"enum", rule.words}};
    case Shape::text_list: {
      Json list{{"type", "array"}, {"items", {{"type", "string"}}}};
      if (!rule.pattern.empty()) list["items"] = text_schema(rule.pattern);
      if (rule.required) list["minItems"] = 1;
      return list;
    }
    case Shape::scalar_map:
      return {{"type", "object"},
              {"propertyNames", {{"pattern", '^' + std::string(rule.pattern) + '$'}}},
              {"additionalProperties", scalar_schema()}};
    case Shape::object: return object_schema(*rule.object);
    case Shape::object_list: return {{"type", "array"}, {"items", object_schema(*rule.object)}};
    case Shape::json_map: return {{"type", "object"}};
    case Shape::empty_list: return {{"type", "array"}, {"maxItems", 0}};
  }
  return {};
}

Json key_schema(const KeyRule& rule) {
  Json alternatives = Json::array();
  if (rule.none) alternatives.push_back({{"const", "none"}});
  alternatives.push_back(value_schema(rule));
  const bool or_map = rule.shape == Shape::integer || rule.shape == Shape::word;
  if (rule.object != nullptr && or_map) alternatives.push_back(object_schema(*rule.object));
  Json schema = alternatives.size() == 1 ? alternatives.front() : Json{{"anyOf", alternatives}};
  schema["description"] = rule.about;
  if (!rule.default_json.empty()) {
    if (const auto value = parse_json(rule.default_json)) schema["default"] = *value;
  }
  return schema;
}

Json object_schema(const ObjectRule& rule) {
  Json schema{{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
  for (const KeyRule& key : rule.keys) {
    schema["properties"][std::string(key.key)] = key_schema(key);
    if (key.required) schema["required"].push_back(key.key);
  }
  return schema;
}

}  // namespace

std::string job_schema() {
  Json schema = object_schema(job_rule());
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Berth job file";
  return schema.dump(2) + '\n';
}

}  // namespace berth::jobs
