// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"

namespace berth {
namespace {

constexpr double kExactInteger = 9007199254740992.0;  // 2^53: above it a double no longer names one integer

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trim_json(std::string_view text) {
  while (!text.empty() && is_json_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_json_space(text.back())) text.remove_suffix(1);
  return text;
}

// The first ',' or ']' after `at` that belongs to the outer array; npos when the text ends before it.
std::size_t element_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
      continue;
    }
    if (depth == 0 && (c == ',' || c == ']')) return at;
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') {
      if (depth == 0) return std::string_view::npos;
      --depth;
    }
  }
  return std::string_view::npos;
}

template <typename Integer>
std::optional<Integer> exact(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (std::in_range<Integer>(number)) return static_cast<Integer>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (std::in_range<Integer>(number)) return static_cast<Integer>(number);
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    const double lowest = std::is_signed_v<Integer> ? -kExactInteger : 0.0;
    if (number >= lowest && number <= kExactInteger && std::trunc(number) == number) {
      return static_cast<Integer>(number);
    }
  }
  return std::nullopt;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  out += "\\u00";
  out += kDigits[static_cast<unsigned char>(c) >> 4];
  out += kDigits[static_cast<unsigned char>(c) & 15];
}

// Bytes from `at` on that stand in a JSON string as they are.
std::size_t plain_run(std::string_view text, std::size_t at) {
  const std::size_t start = at;
  for (; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte >= 0x7F || byte == '"' || byte == '\\') break;
  }
  return at - start;
}

}  // namespace

Expected<std::vector<std::string_view>> split_json_array(std::string_view text, std::size_t max_elements) {
  const std::string_view body = trim_json(text);
  if (body.empty() || body.front() != '[') return fail("json_not_array", "a JSON array is expected");
  std::vector<std::string_view> elements;
  for (std::size_t at = 1;;) {
    const std::size_t end = element_end(body, at);
    if (end == std::string_view::npos) return fail("json_syntax", "the array does not end");
    const std::string_view element = trim_json(body.substr(at, end - at));
    const bool empty_array = elements.empty() && body[end] == ']';
    if (element.empty() && !empty_array) return fail("json_syntax", "an element of the array is empty");
    if (!element.empty() && elements.size() == max_elements) {
      return fail("json_too_large", "more than " + std::to_string(max_elements) + " elements");
    }
    if (!element.empty()) elements.push_back(element);
    if (body[end] == ']' && end + 1 != body.size()) return fail("json_syntax", "text after the array");
    if (body[end] == ']') return elements;
    at = end + 1;
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t plain = plain_run(text, at);
    out.append(text.substr(at, plain));
    at += plain;
    if (at == text.size()) break;
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) {
      out += kReplacement;
    } else if (step.code_point < 0x20 || step.code_point == '"' || step.code_point == '\\') {
      append_escape(out, text[at]);
    } else {
      out.append(text.substr(at, step.length));
    }
    at += step.length;
  }
  out += '"';
}

std::optional<std::int64_t> json_int(const Json& value) {
  return exact<std::int64_t>(value);
}
std::optional<std::uint64_t> json_uint(const Json& value) {
  return exact<std::uint64_t>(value);
}

std::optional<double> json_double(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::optional<std::string> json_text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::uint64_t> json_uint_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : json_uint(*found);
}

}  // namespace berth
