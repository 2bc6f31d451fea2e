// SPDX-License-Identifier: Apache-2.0
// Whatever a program writes to its terminal: the screen has its rows and columns, the cursor is on it, memory is
// bounded, and the recording is JSON lines that give the bytes back. 0x01 in the input resizes by the two bytes behind
// it.
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "slotd/terminal/recording.hpp"
#include "slotd/terminal/screen.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;

namespace {

using namespace berth;
using namespace berth::slotd;

constexpr TerminalSize kFirst{40, 12};
constexpr char kResize = '\x01';
// Two screens of the largest size, a scroll-back and what belongs to them.
constexpr std::size_t kMostMemory = 2 * 200 * (500 * 4 + 64) + Screen::kScrollbackBytes + 65'536;

void screen_is_whole(const Screen& screen) {
  const auto size = screen.size();
  const auto cursor = screen.cursor();
  promise(cursor.row >= 0 && cursor.row < static_cast<int>(size.rows), "the cursor is in a row");
  promise(cursor.column >= 0 && cursor.column < static_cast<int>(size.columns), "the cursor is in a column");
  promise(screen.memory() <= kMostMemory, "a screen's memory is bounded");
  const auto text = screen.text();
  promise(is_valid_utf8(text), "a screen is UTF-8");
  std::size_t rows = 0;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1, ++rows) {
    // Two marks at most for each column.
    promise(utf8_length(std::string_view(text).substr(begin, end - begin)) <= 3 * size.columns, "a row fits");
    promise(end == begin || text[end - 1] != ' ', "no blanks at a line's end");
  }
  promise(rows == size.rows && begin == text.size(), "a screen has its rows");
}

void recording_gives_back(const Recording& recording, std::string_view shown, std::size_t step) {
  std::string output;
  std::uint64_t offset = 0;
  while (offset < recording.end()) {
    const auto part = recording.read(offset, step);
    promise(part.offset > offset && part.skipped == 0, "a read makes progress and misses nothing");
    offset = part.offset;
    for (std::string_view lines = part.lines; !lines.empty();) {
      const auto end = lines.find('\n');
      promise(end != std::string_view::npos, "whole lines");
      promise(end < Recording::kLineBytes, "a line is bounded");
      const auto line = parse_json(lines.substr(0, end));
      promise(line.has_value(), "a line is JSON");
      if (line->is_array() && (*line)[1] == "o") output += (*line)[2].get<std::string>();
      lines.remove_prefix(end + 1);
    }
  }
  promise(output == to_valid_utf8(without_partial_end(shown)), "the recording gives the output back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = berth::fuzz::as_text(data, size);
  if (rest.size() > 60'000) return 0;  // the oracle needs a recording that still has everything
  Screen screen(kFirst);
  Recording recording(kFirst, TimePoint(), 0);
  std::string shown;
  while (!rest.empty()) {
    const auto piece = rest.substr(0, rest.find(kResize));
    screen.feed(piece);
    recording.output(TimePoint(), piece);
    shown += piece;
    rest.remove_prefix(piece.size());
    if (rest.size() >= 3) {
      const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(rest[at]); };
      const auto wanted = clamped({byte(1) * 3U, byte(2)});
      screen.resize(wanted);
      recording.resized(TimePoint(), wanted);
    }
    rest.remove_prefix(std::min<std::size_t>(3, rest.size()));
    screen_is_whole(screen);
    promise(screen.take_replies().size() <= Screen::kReplyBytes, "answers are bounded");
  }
  recording_gives_back(recording, shown, size % 3 == 0 ? 1 : 10'000);
  return 0;
}
