// SPDX-License-Identifier: Apache-2.0
#include "base/http/syntax.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/ascii.hpp"

namespace berth::http {
namespace {

enum ByteClass : unsigned char { kToken = 1, kValue = 2, kTarget = 4 };

constexpr std::array<unsigned char, 256> make_table() {
  std::array<unsigned char, 256> table{};
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  constexpr std::string_view kNotInTarget = "\"#<>\\";
  for (unsigned c = 0; c < 256; ++c) {
    const bool visible = c > 0x20 && c < 0x7F;
    const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const char as_char = static_cast<char>(c);
    unsigned char bits = 0;
    if (word || (visible && kTokenMarks.find(as_char) != std::string_view::npos)) bits |= kToken;
    if (visible || c >= 0x80 || c == ' ' || c == '\t') bits |= kValue;
    if (visible && kNotInTarget.find(as_char) == std::string_view::npos) bits |= kTarget;
    table[c] = bits;
  }
  return table;
}

constexpr std::array<unsigned char, 256> kTable = make_table();

bool all_are(std::string_view text, ByteClass wanted) {
  return std::all_of(text.begin(), text.end(),
                     [wanted](char c) { return (kTable[static_cast<unsigned char>(c)] & wanted) != 0; });
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && all_are(text, kToken);
}
bool is_field_value(std::string_view text) {
  return all_are(text, kValue);
}
bool is_target(std::string_view text) {
  return all_are(text, kTarget);
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return berth::to_lower(a) == berth::to_lower(b); });
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), [](char c) { return berth::to_lower(c); });
  return lowered;
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool lists_word(std::string_view value, std::string_view word) {
  while (true) {
    const std::size_t comma = value.find(',');
    if (equals_ignoring_case(trim_blanks(value.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return value;
}

Expected<Field> parse_field_line(std::string_view line) {
  if (line.empty()) return fail("bad_request", "empty field line");
  if (is_blank(line.front())) return fail("bad_request", "folded header field");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return fail("bad_request", "header field without a colon");
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return fail("bad_request", "header field name is not a token");
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  if (!is_field_value(value)) return fail("bad_request", "control character in a header field");
  return Field{to_lower(name), std::string(value)};
}

Expected<std::optional<std::size_t>> HeadScan::find_end(std::string_view input, std::size_t max_bytes) {
  const std::size_t limit = std::min(input.size(), max_bytes);
  for (; scanned_ < limit; ++scanned_) {
    const char c = input[scanned_];
    const bool after_cr = scanned_ > 0 && input[scanned_ - 1] == '\r';
    if (after_cr && c != '\n') return fail("bad_request", "CR without LF in the head");
    if (c == '\n') {
      if (!after_cr) return fail("bad_request", "LF without CR in the head");
      if (scanned_ == 1) return fail("bad_request", "empty line before the start line");
      if (scanned_ >= 3 && input[scanned_ - 2] == '\n') return std::optional<std::size_t>(++scanned_);
      continue;
    }
    if (c != '\r' && (kTable[static_cast<unsigned char>(c)] & kValue) == 0) {
      return fail("bad_request", "control character in the head");
    }
  }
  if (scanned_ >= max_bytes) return fail("too_large", "head larger than " + std::to_string(max_bytes) + " bytes");
  return std::optional<std::size_t>();
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  return line;
}

}  // namespace berth::http
