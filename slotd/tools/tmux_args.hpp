// SPDX-License-Identifier: Apache-2.0
// The arguments of the tool `tmux`, read and clamped. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/json.hpp"
#include "berth/call.hpp"
#include "slotd/terminal/terminal_size.hpp"

namespace berth::slotd {

struct TmuxArgs {
  std::string action = "capture";  // trimmed, lower case
  TerminalSize size;
  std::optional<std::vector<std::string>> keys;  // none: not a string and not a list of strings
  bool literal = false;                          // keys are text, names of keys too
  bool block = false;
  Seconds min_wait{0};              // at least 0
  std::optional<Seconds> max_wait;  // at least 0
  std::string max_wait_text;        // as it was written
  bool capture_entire = false;
  bool reset = false;
  std::size_t max_bytes = 50'000;
};

// The error says which argument is wrong. Numbers may come as text, as clients send them; flags are true or false.
[[nodiscard]] tl::expected<TmuxArgs, std::string> read_tmux_args(const Json& args);

}  // namespace berth::slotd
