// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/fd.hpp"
#include "base/text.hpp"

namespace berth::cli {
namespace {

constexpr std::size_t kDefaultWidth = 100;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::plain: return "0";
    case Colour::red: return "31";
    case Colour::green: return "32";
    case Colour::yellow: return "33";
    case Colour::dim: return "2";
    case Colour::bold: return "1";
  }
  return "0";
}

bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7f;
}

// C1 controls, direction marks and overrides, line separators: harmless as text, not on a terminal.
bool is_hidden(std::string_view character) {
  if (character.size() == 2) return character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
  if (character.size() != 3 || character[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  const bool marks = second == 0x80 && (third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae));
  return marks || (second == 0x81 && third >= 0xa6 && third <= 0xaf);
}

std::size_t length_of(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

}  // namespace

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

bool colours_on(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  if (term != nullptr && std::strcmp(term, "dumb") == 0) return false;
  return is_terminal(fd);
}

std::string coloured(std::string_view text, Colour colour, bool on) {
  if (!on || colour == Colour::plain) return std::string(text);
  return "\x1b[" + std::string(code_of(colour)) + "m" + std::string(text) + "\x1b[0m";
}

std::string harmless_line(std::string_view text, std::size_t width) {
  const std::string valid = to_valid_utf8(text.substr(0, width * 4 + 16));
  std::string line;
  std::size_t count = 0;
  for (std::size_t i = 0; i < valid.size() && count < width; ++count) {
    const std::size_t size = length_of(static_cast<unsigned char>(valid[i]));
    const std::string_view character = std::string_view(valid).substr(i, size);
    i += size;
    if (character == "\t") {
      line += ' ';
      continue;
    }
    const bool shown = !is_control(static_cast<unsigned char>(character[0])) && !is_hidden(character);
    line += shown ? character : kReplacement;
  }
  return line;
}

std::size_t terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 40) return kDefaultWidth;
  return size.ws_col;
}

void print_out(const std::string& text) {
  static_cast<void>(write_all(STDOUT_FILENO, text));
}

void print_error(const Error& error) {
  const bool colours = colours_on(STDERR_FILENO);
  std::string text;
  // Lines are kept: the message of a failed setup carries the end of its output.
  for (std::string_view rest = error.message; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    text += harmless_line(rest.substr(0, end), 4000) + "\n";
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  if (text.empty()) text = error.code + "\n";
  std::fprintf(stderr, "%s %s", coloured("berth: error:", Colour::red, colours).c_str(), text.c_str());
  if (!error.hint.empty())
    std::fprintf(stderr, "  %s %s\n", coloured("hint:", Colour::bold, colours).c_str(),
                 harmless_line(error.hint, 4000).c_str());
}

void print_warning(std::string_view text) {
  const bool colours = colours_on(STDERR_FILENO);
  std::fprintf(stderr, "%s %s\n", coloured("berth: warning:", Colour::yellow, colours).c_str(),
               harmless_line(text, 4000).c_str());
}

}  // namespace berth::cli
