// SPDX-License-Identifier: Apache-2.0
// The metadata object of a result, written straight as JSON text (keys: wire.md 1.14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::slotd {

class Metadata {
 public:
  Metadata& text(std::string_view key, std::string_view value);
  Metadata& integer(std::string_view key, std::int64_t value);
  Metadata& integer_or_null(std::string_view key, std::optional<std::uint64_t> value);
  Metadata& boolean(std::string_view key, bool value);
  Metadata& milliseconds(std::string_view key, double value);    // three decimals
  Metadata& json(std::string_view key, std::string_view value);  // ready JSON text

  [[nodiscard]] std::string str() const { return "{" + body_ + "}"; }

 private:
  std::string& key(std::string_view name);
  std::string body_;
};

// `object` is the text of a JSON object; returns it with one more member.
[[nodiscard]] std::string with_member(std::string_view object, std::string_view key, std::string_view json_value);

}  // namespace berth::slotd
