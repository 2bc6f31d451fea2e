// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/recording.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace berth::slotd {
namespace {

// No text of an output event holds it: its quotes are escaped there.
constexpr std::string_view kResizeMark = R"(, "r", ")";

std::string size_text(TerminalSize size) {
  return std::to_string(size.columns) + "x" + std::to_string(size.rows);
}

// At most `limit` bytes of `text`, and no character cut in two.
std::string_view first_piece(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  const auto whole = without_partial_end(text.substr(0, limit));
  return whole.empty() ? text.substr(0, limit) : whole;
}

}  // namespace

Recording::Recording(TerminalSize size, TimePoint started, std::int64_t timestamp)
    : started_(started),
      timestamp_(timestamp),
      size_at_begin_(size),
      header_(header(size)),
      events_(kBytes, header_.size(), [this](std::string_view lines) { note_dropped(lines); }) {}

std::string Recording::header(TerminalSize size) const {
  return R"({"version": 2, "width": )" + std::to_string(size.columns) + R"(, "height": )" + std::to_string(size.rows) +
         R"(, "timestamp": )" + std::to_string(timestamp_) +
         R"(, "env": {"SHELL": "/bin/sh", "TERM": "xterm-256color"}})" + '\n';
}

std::string Recording::time(TimePoint now) const {
  std::array<char, 48> buffer{};
  const auto seconds = std::max(0.0, std::chrono::duration<double>(now - started_).count());
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), seconds, std::chars_format::fixed, 6).ptr;
  return {buffer.data(), end};
}

void Recording::output(TimePoint now, std::string_view bytes) {
  std::string joined;
  if (!partial_.empty()) {
    joined = partial_.append(bytes);
    bytes = joined;
  }
  const auto whole = without_partial_end(bytes);
  partial_ = bytes.substr(whole.size());
  const auto begin = "[" + time(now) + R"(, "o", )";
  for (auto rest = whole; !rest.empty();) {
    const auto piece = first_piece(rest, kEventBytes);
    std::string line = begin;
    append_json_string(line, piece);
    events_.append(line + "]\n");
    rest.remove_prefix(piece.size());
  }
}

void Recording::resized(TimePoint now, TerminalSize size) {
  events_.append("[" + time(now) + std::string(kResizeMark) + size_text(size) + "\"]\n");
}

void Recording::note_dropped(std::string_view lines) {
  const auto found = lines.rfind(kResizeMark);
  if (found == std::string_view::npos) return;
  const auto* text = lines.data() + found + kResizeMark.size();
  const auto* end = lines.data() + lines.size();
  const auto columns = std::from_chars(text, end, size_at_begin_.columns);
  std::from_chars(columns.ptr + 1, end, size_at_begin_.rows);
}

Recording::Part Recording::read(std::uint64_t offset, std::size_t max_bytes) const {
  Part part;
  if (offset < header_.size()) {
    part.lines = header(size_at_begin_);
    offset = header_.size();
    part.offset = offset;
    if (part.lines.size() >= max_bytes) return part;
    max_bytes -= part.lines.size();
  }
  // Behind the header a first event that is too large waits for the next read.
  const auto events = events_.read(offset, max_bytes);
  if (!part.lines.empty() && events.lines.size() > max_bytes) return part;
  part.lines += events.lines;
  part.offset = events.offset + events.lines.size();
  part.skipped = events.offset - std::min(offset, events.offset);
  return part;
}

}  // namespace berth::slotd
