// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/log_stamps.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>

#include "base/ascii.hpp"

namespace berth::drivers::docker {
namespace {

constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
constexpr std::size_t kMostPlace = 40;
constexpr long long kBillion = 1'000'000'000;

bool is_stamp(std::string_view text) {
  return text.size() == kShape.size() && std::equal(kShape.begin(), kShape.end(), text.begin(), [](char shape, char c) {
           return shape == 'd' ? is_digit(c) : shape == c;
         });
}

int number_at(std::string_view text, std::size_t begin, std::size_t size) {
  int value = 0;
  std::from_chars(text.data() + begin, text.data() + begin + size, value);
  return value;
}

// Nanoseconds since 1970.
long long time_of(std::string_view stamp) {
  using namespace std::chrono;
  const auto part = [stamp](std::size_t begin, std::size_t size) { return number_at(stamp, begin, size); };
  const year_month_day date{year(part(0, 4)), month(static_cast<unsigned>(part(5, 2))),
                            day(static_cast<unsigned>(part(8, 2)))};
  const auto seconds =
      sys_days(date).time_since_epoch() + hours(part(11, 2)) + minutes(part(14, 2)) + std::chrono::seconds(part(17, 2));
  return duration_cast<std::chrono::seconds>(seconds).count() * kBillion + part(20, 9);
}

std::string place_of(long long time) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%lld.%09lld", time / kBillion, time % kBillion);
  return text.data();
}

}  // namespace

bool is_log_place(std::string_view text) {
  if (text.size() > kMostPlace) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; }) &&
         std::count(text.begin(), text.end(), '.') <= 1 && !text.starts_with('.') && !text.ends_with('.');
}

LogPart without_stamps(std::string_view log, std::string after) {
  LogPart part;
  std::optional<long long> last;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size() - 1) + 1;
    std::string_view line = log.substr(0, end);
    log.remove_prefix(end);
    const std::string_view stamp = line.substr(0, kShape.size());
    if (is_stamp(stamp)) {
      last = std::max(last.value_or(0), time_of(stamp));
      line.remove_prefix(stamp.size());
      if (line.starts_with(' ')) line.remove_prefix(1);
    }
    part.text += line;
  }
  part.next = last ? place_of(*last + 1) : std::move(after);
  return part;
}

}  // namespace berth::drivers::docker
