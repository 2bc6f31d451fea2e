// SPDX-License-Identifier: Apache-2.0
// JSON with bounds over nlohmann/json; its texts are read by RapidJSON (json_parse.cpp). The bounds exist because the
// library copies, compares and dumps recursively (a 100,000-deep document crashes it), converts numbers silently
// (get<int>(1e300)) and throws when it dumps bytes that are not UTF-8 (facts/threats.md section 1). Nobody calls
// json::parse, dump or get<number> directly. This header stays light: include <nlohmann/json.hpp> in the .cpp files
// that look into values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/error.hpp"

namespace berth {

using Json = nlohmann::json;

struct JsonBounds {
  std::size_t max_bytes = std::size_t{2} << 20;
  std::size_t max_depth = 64;
  std::size_t max_values = 200'000;  // values of all kinds, keys not counted
};

// Errors: code "json_syntax", "json_too_large", "json_too_deep", "json_duplicate_key" (a repeated key in one object is
// refused: two readers would disagree on its value). Invalid UTF-8, NaN and trailing text are syntax errors.
[[nodiscard]] Expected<Json> parse_json(std::string_view text, const JsonBounds& bounds = {});

// Splits a JSON array's text into its elements' texts without building values, so that each can be parsed, and fail,
// alone. The element texts are views into `text`; they are not validated beyond bracket and string structure.
// Errors: "json_not_array", "json_syntax", "json_too_large" (more than max_elements).
[[nodiscard]] Expected<std::vector<std::string_view>> split_json_array(std::string_view text, std::size_t max_elements);

// One line, keys sorted, invalid UTF-8 replaced by U+FFFD. Never throws.
[[nodiscard]] std::string dump_json(const Json& value);
// `text` as a quoted JSON string; invalid UTF-8 replaced by U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Exact conversions: nothing when the value is not a number, is not integral or does not fit. Bool is not a number.
[[nodiscard]] std::optional<std::int64_t> json_int(const Json& value);
[[nodiscard]] std::optional<std::uint64_t> json_uint(const Json& value);
[[nodiscard]] std::optional<double> json_double(const Json& value);  // finite only
// A member of an object; nothing when it is absent or of another type.
[[nodiscard]] std::optional<std::string> json_text_at(const Json& object, const char* key);
[[nodiscard]] std::optional<std::uint64_t> json_uint_at(const Json& object, const char* key);

}  // namespace berth
