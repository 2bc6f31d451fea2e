// SPDX-License-Identifier: Apache-2.0
#include "slotd/routes/artifact_request.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace berth::slotd {
namespace {

const Json& field(const Json& body, const char* key) {
  static const Json kNothing;
  const auto found = body.find(key);
  return found == body.end() ? kNothing : *found;
}

bool is_true(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return json_double(value) != 0.0;
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return value.is_structured() && !value.empty();
}

std::optional<double> as_number(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return json_double(value);
  if (!value.is_string()) return std::nullopt;
  const auto text = trim(value.get_ref<const std::string&>());
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return static_cast<double>(number);
}

std::uint64_t limit(const Json& value, std::uint64_t most) {
  const auto number = as_number(value);
  if (!number) return most;
  return static_cast<std::uint64_t>(std::clamp(std::trunc(*number), 1.0, static_cast<double>(most)));
}

// Lower-case and trimmed; `fallback` for null and for nothing. What is no text is quoted, so that it matches no word.
std::string word(const Json& value, const std::string& fallback) {
  if (value.is_null()) return fallback;
  if (!value.is_string()) return dump_json(value).substr(0, 200);
  std::string text(trim(value.get_ref<const std::string&>()).substr(0, 200));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
  return text.empty() ? fallback : text;
}

}  // namespace

ArtifactRequest parse_artifact_request(const Json& body, const std::string& default_path) {
  ArtifactRequest request;
  const auto& slot = field(body, "slot_id");
  request.slot = slot.is_string() ? slot.get<std::string>() : slot.is_null() ? "" : dump_json(slot).substr(0, 200);
  request.path = default_path;
  if (body.contains("path")) request.path.reset();
  if (const auto& path = field(body, "path"); path.is_string()) request.path = path.get<std::string>();
  request.encoding = word(field(body, "encoding"), "text");
  request.format = word(field(body, "format"), "tar.gz");
  if (request.format == "tgz") request.format = "tar.gz";
  request.max_bytes = limit(field(body, "max_bytes"), kMaxArtifactBytes);
  request.max_entries = limit(field(body, "max_entries"), kMaxArtifactEntries);
  request.recursive = is_true(field(body, "recursive"));
  request.digest = is_true(field(body, "include_sha256"));
  const auto& generation = field(body, "generation");
  if (!generation.is_null()) request.generation = json_uint(generation);
  request.bad_generation = !generation.is_null() && !request.generation;
  return request;
}

}  // namespace berth::slotd
