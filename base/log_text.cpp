// SPDX-License-Identifier: Apache-2.0
#include "base/log_text.hpp"

#include <fmt/format.h>
#include <iterator>

#include "base/utf8.hpp"

namespace berth {
namespace {

bool is_control(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F);
}

// Line separators, zero-width marks and the characters that reorder what stands around them.
bool is_deceptive(char32_t point) {
  return point == 0x061C || (point >= 0x200B && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
         (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF || (point >= 0xFFF9 && point <= 0xFFFB) ||
         (point >= 0xE0000 && point <= 0xE0FFF);
}

void append_escaped(std::string& out, char32_t point) {
  auto to = std::back_inserter(out);
  if (point == '\n')
    out += "\\n";
  else if (point == '\t')
    out += "\\t";
  else if (point == '\r')
    out += "\\r";
  else if (point < 0x80)
    fmt::format_to(to, "\\x{:02x}", static_cast<unsigned>(point));
  else
    fmt::format_to(to, "\\u{{{:x}}}", static_cast<unsigned>(point));
}

void append_text(std::string& out, std::string_view text, bool quoted) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) {
      for (const char byte : text.substr(at, step.length)) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
      }
    } else if (is_control(step.code_point) || is_deceptive(step.code_point)) {
      append_escaped(out, step.code_point);
    } else {
      if (text[at] == '\\' || (quoted && text[at] == '"')) out += '\\';
      out.append(text.substr(at, step.length));
    }
    at += step.length;
  }
}

void append_json_escape(std::string& out, char32_t point) {
  auto to = std::back_inserter(out);
  if (point > 0xFFFF) {
    const auto rest = static_cast<unsigned>(point - 0x10000);
    fmt::format_to(to, "\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
  } else {
    fmt::format_to(to, "\\u{:04x}", static_cast<unsigned>(point));
  }
}

bool stands_bare(std::string_view value) {
  return !value.empty() && value.find_first_of(" \"=") == std::string_view::npos;
}

}  // namespace

void append_log_text(std::string& out, std::string_view text) {
  append_text(out, text, false);
}

void append_log_value(std::string& out, std::string_view value) {
  if (stands_bare(value)) return append_text(out, value, false);
  out += '"';
  append_text(out, value, true);
  out += '"';
}

void append_log_json(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) {
      out += kReplacement;
    } else if (is_control(step.code_point) || is_deceptive(step.code_point)) {
      append_json_escape(out, step.code_point);
    } else {
      if (text[at] == '\\' || text[at] == '"') out += '\\';
      out.append(text.substr(at, step.length));
    }
    at += step.length;
  }
  out += '"';
}

}  // namespace berth
