// SPDX-License-Identifier: Apache-2.0
// Decoding UTF-8 one step at a time: what text, json and log share. Pure, thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace berth {

struct Utf8Step {
  char32_t code_point;  // U+FFFD when not valid
  std::size_t length;   // bytes taken, at least 1; of a maximal invalid part when not valid
  bool valid;
};

// The step at `at`, which must be inside `text`.
[[nodiscard]] Utf8Step utf8_step(std::string_view text, std::size_t at);

// How many bytes from `at` on are ASCII.
[[nodiscard]] std::size_t ascii_run(std::string_view text, std::size_t at);

// `text` without an incomplete character at its end: one whose lead byte promises more bytes than follow.
[[nodiscard]] std::string_view without_partial_end(std::string_view text);

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace berth
