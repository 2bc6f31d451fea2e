// SPDX-License-Identifier: Apache-2.0
// What a key wants, in words.
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "jobs/keys.hpp"

namespace berth::jobs {
namespace {

struct Unit {
  std::string_view name;
  double amount;
};
constexpr std::array<Unit, 5> kSizes{
    {{"TiB", 1099511627776.0}, {"GiB", 1073741824.0}, {"MiB", 1048576.0}, {"KiB", 1024.0}, {"B", 1.0}}};
constexpr std::array<Unit, 5> kTimes{{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 0.001}}};

// In the largest unit that gives a whole number.
template <std::size_t N>
std::string with_unit(double amount, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    const double count = amount / unit.amount;
    if (count >= 1 && std::abs(count - std::round(count)) < 1e-9) return fmt::format("{:.0f}{}", count, unit.name);
  }
  return fmt::format("{}", amount);
}

std::string either(const std::vector<std::string_view>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

std::string value(const KeyRule& rule) {
  const auto [min, max] = rule.range;
  switch (rule.shape) {
    case Shape::text: return rule.pattern.empty() ? "text" : std::string(rule.pattern_in_words);
    case Shape::scalar: return "text or a number";
    case Shape::flag: return "true or false";
    case Shape::integer: return fmt::format("a whole number from {:.0f} to {:.0f}", min, max);
    case Shape::number: return fmt::format("a number from {} to {}", min, max);
    case Shape::size:
      return fmt::format("a size from {} to {}, for example 512MiB", with_unit(min, kSizes), with_unit(max, kSizes));
    case Shape::duration:
      return fmt::format("a duration from {} to {}, for example 10s", with_unit(min, kTimes), with_unit(max, kTimes));
    case Shape::word: {
      auto words = rule.words;
      if (rule.object != nullptr) words.emplace_back("a map");
      return either(words);
    }
    case Shape::text_list: return rule.pattern.empty() ? "a list of texts" : std::string(rule.pattern_in_words);
    case Shape::scalar_map: return "a map of names to texts";
    case Shape::object: return "a map";
    case Shape::object_list: return "a list of maps";
    case Shape::json_map: return "a map";
    case Shape::empty_list: return "an empty list";
  }
  return {};
}

}  // namespace

std::string expected(const KeyRule& rule) {
  std::string out = value(rule);
  if (rule.object != nullptr && rule.shape == Shape::integer) out += " or a map";
  return rule.none ? "none or " + out : out;
}

}  // namespace berth::jobs
