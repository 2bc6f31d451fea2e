// SPDX-License-Identifier: Apache-2.0
// The grammar that requests, answers and trailers share. Pure functions over bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "berth/error.hpp"

namespace berth::http {

using Field = std::pair<std::string, std::string>;

[[nodiscard]] bool is_token(std::string_view text);        // RFC 9110 5.6.2, not empty
[[nodiscard]] bool is_field_value(std::string_view text);  // no control character but a tab
[[nodiscard]] bool is_target(std::string_view text);       // bytes that may stand in an origin-form target
[[nodiscard]] bool equals_ignoring_case(std::string_view left, std::string_view right);  // ASCII
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] std::string_view trim_blanks(std::string_view text);  // spaces and tabs

// Whether a comma-separated field value names `word`, ignoring case.
[[nodiscard]] bool lists_word(std::string_view value, std::string_view word);

// Digits only, no leading zero, at most 2^63 - 1: what every reader understands alike.
[[nodiscard]] std::optional<std::uint64_t> parse_length(std::string_view text);

// One field line without its CRLF: the name in lower case, the value trimmed. Error code "bad_request".
[[nodiscard]] Expected<Field> parse_field_line(std::string_view line);

// Finds the empty line that ends a head while its bytes arrive. A byte that no head may hold (bare LF or CR, NUL, other
// control characters) is an error as soon as it is seen, so that nobody waits for an end that cannot come.
class HeadScan {
 public:
  // `input` is everything received so far; it only grows between calls. The size of the head once it is complete.
  // Errors: "bad_request"; "too_large" once more than `max_bytes` came without an end.
  [[nodiscard]] Expected<std::optional<std::size_t>> find_end(std::string_view input, std::size_t max_bytes);

 private:
  std::size_t scanned_ = 0;
};

// Takes the next line off `rest`, which must hold its CRLF.
[[nodiscard]] std::string_view take_line(std::string_view& rest);

}  // namespace berth::http
