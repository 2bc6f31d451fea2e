// SPDX-License-Identifier: Apache-2.0
// Sizes and durations of base/text.hpp.
#include <array>
#include <charconv>
#include <cmath>

#include "base/ascii.hpp"
#include "base/text.hpp"

namespace berth {
namespace {

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<SizeUnit, 11> kSizeUnits{{
    {"B", 1},
    {"kB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"PB", 1'000'000'000'000'000},
    {"KiB", std::uint64_t{1} << 10},
    {"MiB", std::uint64_t{1} << 20},
    {"GiB", std::uint64_t{1} << 30},
    {"TiB", std::uint64_t{1} << 40},
    {"PiB", std::uint64_t{1} << 50},
}};

struct TimeUnit {
  std::string_view name;
  double seconds;
};
// From the longest down: the parts of "1h30m" come in this order, each at most once.
constexpr std::array<TimeUnit, 5> kTimeUnits{{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 0.001}}};

constexpr std::string_view kSizeHint = "write a whole number and a unit, for example 512MiB, 2GiB or 100kB";
constexpr std::string_view kDurationHint = "write numbers with units, for example 500ms, 10s, 5m or 1h30m";
constexpr std::size_t kShown = 40;

std::string quoted(std::string_view text) {
  return "\"" + to_valid_utf8(text.substr(0, kShown)) + "\"";
}

tl::unexpected<Error> bad_size(std::string_view text, std::string_view why) {
  return fail("bad_size", quoted(text) + " is not a size: " + std::string(why), std::string(kSizeHint));
}

tl::unexpected<Error> bad_duration(std::string_view text, std::string_view why) {
  return fail("bad_duration", quoted(text) + " is not a duration: " + std::string(why), std::string(kDurationHint));
}

std::string_view take_while(std::string_view& text, bool (*matches)(char)) {
  std::size_t length = 0;
  while (length < text.size() && matches(text[length])) ++length;
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

bool is_digit_or_point(char c) {
  return is_digit(c) || c == '.';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<double> plain_number(std::string_view text) {
  if (text.empty() || !is_digit(text.front()) || !is_digit(text.back())) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Expected<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const std::string_view digits = take_while(rest, is_digit);
  if (digits.empty()) return bad_size(text, "it must begin with a digit");
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc()) return bad_size(text, "it is too large");
  for (const SizeUnit& unit : kSizeUnits) {
    if (unit.name != rest) continue;
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(number, unit.bytes, &bytes)) return bad_size(text, "it is too large");
    return bytes;
  }
  return bad_size(text, rest.empty() ? "the unit is missing" : "the unit is unknown");
}

Expected<std::chrono::duration<double>> parse_duration(std::string_view text) {
  if (text.empty()) return bad_duration(text, "it is empty");
  double seconds = 0;
  std::size_t next_unit = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const auto number = plain_number(take_while(rest, is_digit_or_point));
    if (!number) return bad_duration(text, "a number is expected");
    const std::string_view name = take_while(rest, is_letter);
    if (name.empty()) return bad_duration(text, "a unit is missing");
    while (next_unit < kTimeUnits.size() && kTimeUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kTimeUnits.size()) return bad_duration(text, "a unit is unknown, repeated or out of order");
    seconds += *number * kTimeUnits[next_unit++].seconds;
  }
  if (!std::isfinite(seconds)) return bad_duration(text, "it is too large");
  return std::chrono::duration<double>(seconds);
}

}  // namespace berth
