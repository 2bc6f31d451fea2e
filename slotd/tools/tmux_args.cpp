// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/tmux_args.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace berth::slotd {
namespace {

using Checked = tl::expected<void, std::string>;

constexpr double kLeastStream = 1;
constexpr double kMostStream = 200'000;
constexpr double kMostColumns = 1e6;  // clamped further

const Json* given(const Json& args, const char* key) {
  const auto found = args.find(key);
  return found == args.end() || found->is_null() ? nullptr : &*found;
}

std::optional<double> number_in(std::string_view text) {
  const auto trimmed = trim(text);
  double value = 0;
  const auto* end = trimmed.data() + trimmed.size();
  const auto parsed = std::from_chars(trimmed.data(), end, value);
  if (trimmed.empty() || parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Leaves `out` as it is when the argument was not given.
Checked read_number(const Json& args, const char* key, std::optional<double>& out) {
  const auto* value = given(args, key);
  if (value == nullptr) return {};
  out = value->is_string() ? number_in(value->get_ref<const std::string&>()) : json_double(*value);
  if (!out) return tl::unexpected<std::string>(std::string(key) + " must be a number");
  return {};
}

Checked read_flag(const Json& args, const char* key, bool& out) {
  const auto* value = given(args, key);
  if (value == nullptr) return {};
  if (!value->is_boolean()) return tl::unexpected<std::string>(std::string(key) + " must be true or false");
  out = value->get<bool>();
  return {};
}

Checked read_action(const Json& args, TmuxArgs& out) {
  const auto* value = given(args, "action");
  if (value == nullptr) return {};
  if (!value->is_string()) return tl::unexpected<std::string>("action must be a string");
  out.action = trim(value->get_ref<const std::string&>());
  for (auto& character : out.action)
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  return {};
}

Checked read_sizes(const Json& args, TmuxArgs& out) {
  std::optional<double> columns = out.size.columns;
  std::optional<double> rows = out.size.rows;
  std::optional<double> bytes = static_cast<double>(out.max_bytes);
  if (auto step = read_number(args, "pane_width", columns); !step) return step;
  if (auto step = read_number(args, "pane_height", rows); !step) return step;
  if (auto step = read_number(args, "max_bytes", bytes); !step) return step;
  out.size = clamped({static_cast<unsigned>(std::clamp(*columns, 0.0, kMostColumns)),
                      static_cast<unsigned>(std::clamp(*rows, 0.0, kMostColumns))});
  out.max_bytes = static_cast<std::size_t>(std::clamp(*bytes, kLeastStream, kMostStream));
  return {};
}

Checked read_waits(const Json& args, TmuxArgs& out) {
  std::optional<double> least;
  std::optional<double> most;
  if (auto step = read_number(args, "min_wait_s", least); !step) return step;
  if (auto step = read_number(args, "max_wait_s", most); !step) return step;
  out.min_wait = Seconds(std::max(0.0, least.value_or(0)));
  if (!most) return {};
  const auto& written = *given(args, "max_wait_s");
  out.max_wait = Seconds(std::max(0.0, *most));
  out.max_wait_text =
      written.is_string() ? std::string(trim(written.get_ref<const std::string&>())) : dump_json(written);
  return {};
}

void read_keys(const Json& args, TmuxArgs& out) {
  const auto* value = given(args, "keys");
  if (value == nullptr) return;
  if (value->is_string()) {
    out.keys = std::vector{value->get<std::string>()};
    return;
  }
  const bool strings = value->is_array() && std::all_of(value->begin(), value->end(),
                                                        [](const Json& element) { return element.is_string(); });
  if (strings) out.keys = value->get<std::vector<std::string>>();
}

}  // namespace

tl::expected<TmuxArgs, std::string> read_tmux_args(const Json& args) {
  TmuxArgs out;
  read_keys(args, out);
  for (const auto& step :
       {read_action(args, out), read_sizes(args, out), read_waits(args, out), read_flag(args, "literal", out.literal),
        read_flag(args, "block", out.block), read_flag(args, "capture_entire", out.capture_entire),
        read_flag(args, "reset", out.reset)}) {
    if (!step) return tl::unexpected<std::string>(step.error());
  }
  return out;
}

}  // namespace berth::slotd
