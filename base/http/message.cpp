// SPDX-License-Identifier: Apache-2.0
#include "base/http/message.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace berth::http {
namespace {

// Queries are form-encoded by the clients that exist: '+' is a space.
std::optional<std::string> decode_query_part(std::string_view part) {
  std::string text(part);
  std::replace(text.begin(), text.end(), '+', ' ');
  return percent_decode(text);
}

}  // namespace

std::optional<std::string_view> RequestHead::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<std::string> RequestHead::query_value(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (decode_query_part(pair.substr(0, equals)) == name) {
      return equals == std::string_view::npos ? std::string() : decode_query_part(pair.substr(equals + 1));
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace berth::http
