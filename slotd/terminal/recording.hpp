// SPDX-License-Identifier: Apache-2.0
// What a terminal has shown as an asciicast (version 2): a header line, then one line an event: output and resizes.
// Every line is valid JSON of at most kLineBytes. Memory is bounded: of a long recording the oldest events go, the
// header never does. Offsets are absolute positions in the whole recording. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "slotd/terminal/line_log.hpp"
#include "slotd/terminal/terminal_size.hpp"

namespace berth::slotd {

class Recording {
 public:
  static constexpr std::size_t kBytes = std::size_t{512} << 10;
  static constexpr std::size_t kEventBytes = 2'048;                // of output in one line
  static constexpr std::size_t kLineBytes = kEventBytes * 6 + 64;  // a control character is written as \u00XX

  // `timestamp`: seconds since 1970; events are timed from `started` on.
  Recording(TerminalSize size, TimePoint started, std::int64_t timestamp);
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // A character that is cut at the end of `bytes` is written with its rest.
  void output(TimePoint now, std::string_view bytes);
  void resized(TimePoint now, TerminalSize size);

  struct Part {
    std::string lines;
    std::uint64_t offset = 0;   // behind the last of these lines
    std::uint64_t skipped = 0;  // bytes between the offset asked for and the oldest event that is kept
  };
  // Whole lines from `offset` (0, or one that came from here) on: what fits into max_bytes, at least one line while
  // there is one. From 0: the header, with the size that holds at the oldest kept event, and that event on.
  [[nodiscard]] Part read(std::uint64_t offset, std::size_t max_bytes) const;
  [[nodiscard]] std::uint64_t end() const { return events_.end(); }
  [[nodiscard]] std::size_t memory() const { return events_.memory() + header_.capacity(); }

 private:
  [[nodiscard]] std::string header(TerminalSize size) const;
  [[nodiscard]] std::string time(TimePoint now) const;
  void note_dropped(std::string_view lines);

  const TimePoint started_;
  const std::int64_t timestamp_;
  TerminalSize size_at_begin_;  // of events_
  std::string header_;
  LineLog events_;
  std::string partial_;
};

}  // namespace berth::slotd
