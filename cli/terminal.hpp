// SPDX-License-Identifier: Apache-2.0
// What reaches the user's terminal: colours only there, and never a control sequence that came out of a slot.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth::cli {

enum class Colour { plain, red, green, yellow, dim, bold };

// Looked at once per descriptor: a terminal, NO_COLOR unset or empty, TERM not "dumb".
[[nodiscard]] bool colours_on(int fd);
[[nodiscard]] bool is_terminal(int fd);
[[nodiscard]] std::string coloured(std::string_view text, Colour colour, bool on);

// One line without control characters (they become U+FFFD) and without invalid UTF-8, at most `width` characters.
[[nodiscard]] std::string harmless_line(std::string_view text, std::size_t width);
[[nodiscard]] std::size_t terminal_width(int fd);

// On stdout; whoever read it may be gone.
void print_out(const std::string& text);
// "berth: error: MESSAGE" and, below it, what to do next; on stderr.
void print_error(const Error& error);
void print_warning(std::string_view text);

}  // namespace berth::cli
