// SPDX-License-Identifier: Apache-2.0
// The size of a terminal, in characters.
#pragma once

#include <algorithm>

namespace berth::slotd {

struct TerminalSize {
  unsigned columns = 120;
  unsigned rows = 40;
  friend bool operator==(const TerminalSize&, const TerminalSize&) = default;
};
inline constexpr TerminalSize kSmallestTerminal{20, 10};
inline constexpr TerminalSize kLargestTerminal{500, 200};

// The nearest size that a terminal may have.
[[nodiscard]] constexpr TerminalSize clamped(TerminalSize size) {
  return {std::clamp(size.columns, kSmallestTerminal.columns, kLargestTerminal.columns),
          std::clamp(size.rows, kSmallestTerminal.rows, kLargestTerminal.rows)};
}

}  // namespace berth::slotd
