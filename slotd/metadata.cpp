// SPDX-License-Identifier: Apache-2.0
#include "slotd/metadata.hpp"

#include <array>
#include <charconv>

#include "base/json.hpp"

namespace berth::slotd {

std::string& Metadata::key(std::string_view name) {
  if (!body_.empty()) body_ += ',';
  append_json_string(body_, name);
  body_ += ':';
  return body_;
}

Metadata& Metadata::text(std::string_view name, std::string_view value) {
  append_json_string(key(name), value);
  return *this;
}

Metadata& Metadata::integer(std::string_view name, std::int64_t value) {
  key(name) += std::to_string(value);
  return *this;
}

Metadata& Metadata::integer_or_null(std::string_view name, std::optional<std::uint64_t> value) {
  key(name) += value ? std::to_string(*value) : "null";
  return *this;
}

Metadata& Metadata::boolean(std::string_view name, bool value) {
  key(name) += value ? "true" : "false";
  return *this;
}

Metadata& Metadata::milliseconds(std::string_view name, double value) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, 3).ptr;
  key(name).append(buffer.data(), end);
  return *this;
}

Metadata& Metadata::json(std::string_view name, std::string_view value) {
  key(name) += value;
  return *this;
}

std::string with_member(std::string_view object, std::string_view name, std::string_view json_value) {
  std::string out(object.substr(0, object.rfind('}')));
  if (out.size() > 1) out += ',';
  append_json_string(out, name);
  out += ':';
  out += json_value;
  out += '}';
  return out;
}

}  // namespace berth::slotd
