// SPDX-License-Identifier: Apache-2.0
#include "jobs/scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/ascii.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::jobs {
namespace {

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

// JSON's grammar of a number.
bool is_json_number(std::string_view text) {
  std::size_t at = !text.empty() && text.front() == '-' ? 1 : 0;
  const std::size_t whole = digits_at(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = digits_at(text, at + 1);
    if (fraction == 0) return false;
    at += 1 + fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = digits_at(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

// No JSON number, yet a number to some YAML reader: 010, +5, 0x1F, 0o17, .5, 5., 1_000, .inf, .nan
bool is_odd_number(std::string_view text) {
  if (text.empty() || is_json_number(text)) return false;
  if (text.front() == '+' || text.front() == '-') text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN")
    return true;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o' || text[1] == 'b')) {
    return text.find_first_not_of("0123456789abcdefABCDEF_", 2) == std::string_view::npos;
  }
  if (text.find_first_not_of("0123456789_.eE+-") != std::string_view::npos) return false;
  const bool number_start =
      !text.empty() && (is_digit(text[0]) || (text.size() > 1 && text[0] == '.' && is_digit(text[1])));
  // 1.2.3 and 2024-01-31 are text to everybody who matters.
  const auto points = std::count(text.begin(), text.end(), '.');
  const auto sign = text.find_first_of("+-");
  const bool sign_in_exponent =
      sign == std::string_view::npos || (sign > 0 && (text[sign - 1] == 'e' || text[sign - 1] == 'E'));
  return number_start && points <= 1 && sign_in_exponent;
}

constexpr std::array<std::string_view, 4> kCapitalBooleans{"True", "TRUE", "False", "FALSE"};
constexpr std::array<std::string_view, 15> kOldBooleans{"yes", "Yes", "YES", "no",  "No", "NO", "on", "On",
                                                        "ON",  "off", "Off", "OFF", "y",  "n",  "Y"};

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return !text.empty() && std::find(words.begin(), words.end(), text) != words.end();
}

bool is_plain(const Node& node) {
  return node.kind == NodeKind::scalar && node.plain;
}

template <typename Number>
std::optional<Number> whole(const Node& node) {
  if (!is_plain(node) || !is_json_number(node.text)) return std::nullopt;
  Number value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::uint64_t> read_integer(const Node& node) {
  return whole<std::uint64_t>(node);
}
std::optional<std::int64_t> read_signed(const Node& node) {
  return whole<std::int64_t>(node);
}

std::optional<double> read_number(const Node& node) {
  if (!is_plain(node) || !is_json_number(node.text)) return std::nullopt;
  double value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<bool> read_flag(const Node& node) {
  if (!is_plain(node) || (node.text != "true" && node.text != "false")) return std::nullopt;
  return node.text == "true";
}

std::optional<std::string> read_text(const Node& node) {
  if (node.kind != NodeKind::scalar) return std::nullopt;
  if (node.plain && (is_json_number(node.text) || is_odd_number(node.text) || read_flag(node) ||
                     is_one_of(node.text, kCapitalBooleans))) {
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::string> read_scalar(const Node& node) {
  if (node.kind != NodeKind::scalar) return std::nullopt;
  return node.text;
}

std::optional<std::uint64_t> read_size(const Node& node) {
  if (node.kind != NodeKind::scalar) return std::nullopt;
  const auto size = parse_size(node.text);
  return size ? std::optional(*size) : std::nullopt;
}

std::optional<Seconds> read_duration(const Node& node) {
  if (node.kind != NodeKind::scalar) return std::nullopt;
  const auto duration = parse_duration(node.text);
  return duration ? std::optional(*duration) : std::nullopt;
}

bool is_none(const Node* node) {
  return node != nullptr && is_plain(*node) && node->text == "none";
}

std::string advice_for_number(const Node& node) {
  if (node.kind != NodeKind::scalar) return {};
  if (!node.plain && is_json_number(node.text)) return "; take off the quotes";
  if (is_odd_number(node.text)) return "; write a plain decimal number without a leading zero";
  return {};
}

std::string advice_for_flag(const Node& node) {
  if (node.kind != NodeKind::scalar) return {};
  if (!node.plain && (node.text == "true" || node.text == "false")) return "; take off the quotes";
  return is_one_of(node.text, kOldBooleans) || is_one_of(node.text, kCapitalBooleans) ? "; write true or false" : "";
}

std::string advice_for_text(const Node& node) {
  return node.kind == NodeKind::scalar && node.plain ? "; put it in quotes" : "";
}

namespace {

Json plain_to_json(const Node& node, Complaints& complaints) {
  if (const auto flag = read_flag(node)) return *flag;
  if (const auto number = read_integer(node)) return *number;
  if (const auto number = read_signed(node)) return *number;
  const bool integral = node.text.find_first_of(".eE") == std::string::npos;
  if (const auto number = read_number(node); number && !integral) return *number;
  if (is_json_number(node.text)) {
    complaints.add(node.place, node.text + " is too large for a number; quote it");
  } else if (is_odd_number(node.text) || is_one_of(node.text, kCapitalBooleans)) {
    complaints.add(node.place, node.text +
                                   " is read differently by different YAML readers; quote it if it is text, or " +
                                   "write a plain decimal number, true or false");
  }
  return node.text;
}

}  // namespace

Json to_json(const Node& node, Complaints& complaints) {
  switch (node.kind) {
    case NodeKind::null: return nullptr;
    case NodeKind::scalar: return node.plain ? plain_to_json(node, complaints) : Json(node.text);
    case NodeKind::list: {
      Json list = Json::array();
      for (const NodePtr& item : node.items) list.push_back(to_json(*item, complaints));
      return list;
    }
    case NodeKind::map: {
      Json map = Json::object();
      for (const Entry& entry : node.entries) map[entry.key] = to_json(*entry.value, complaints);
      return map;
    }
  }
  return nullptr;
}

}  // namespace berth::jobs
