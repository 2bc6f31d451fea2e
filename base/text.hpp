// SPDX-License-Identifier: Apache-2.0
// Small text helpers: encodings, sizes, durations, ids. Pure functions, thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/error.hpp"

namespace berth {

[[nodiscard]] bool is_valid_utf8(std::string_view text);
// Invalid sequences become U+FFFD (one per maximal invalid part, as Python's errors="replace").
[[nodiscard]] std::string to_valid_utf8(std::string_view text);
// Code points of valid UTF-8 text; each invalid byte counts as one.
[[nodiscard]] std::size_t utf8_length(std::string_view text);
[[nodiscard]] std::string_view trim(std::string_view text);  // ASCII white space at both ends
// The parts between separators, empty ones too; none after the last separator. They are views of `text`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);  // standard alphabet, padded
[[nodiscard]] std::string sha256_hex(std::string_view bytes);                   // 64 lower-case digits

// Percent-decoding of a URL path or query part; nothing on a bad escape or an encoded NUL.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);       // everything but unreserved characters
[[nodiscard]] std::string percent_encode_path(std::string_view text);  // leaves '/' as it is

// "512MiB", "2GiB", "100kB", "64KiB", "10B": a unit is required, binary and decimal both known. Error code "bad_size".
[[nodiscard]] Expected<std::uint64_t> parse_size(std::string_view text);
// "500ms", "10s", "5m", "1h", "1h30m", "2d": a unit is required. Error code "bad_duration".
[[nodiscard]] Expected<std::chrono::duration<double>> parse_duration(std::string_view text);

// `bytes` random bytes from the kernel as lower-case hex digits.
[[nodiscard]] std::string random_hex(std::size_t bytes);

// [A-Za-z0-9._:-]{1,128} (wire.md 1.2)
[[nodiscard]] bool is_execution_id(std::string_view text);

// The candidate within edit distance 3 that is nearest to `word`, for "did you mean"; nothing when none is near.
[[nodiscard]] std::optional<std::string> nearest_word(std::string_view word,
                                                      const std::vector<std::string>& candidates);

}  // namespace berth
