// SPDX-License-Identifier: Apache-2.0
// What the C library's <cctype> leaves to the locale, for ASCII alone. Pure functions, thread-safe.
#pragma once

namespace berth {

[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The lower-case letter of an upper-case one; every other byte as it is.
[[nodiscard]] constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace berth
