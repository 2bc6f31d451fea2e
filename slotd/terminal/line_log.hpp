// SPDX-License-Identifier: Apache-2.0
// Whole lines in bounded memory: the oldest ones go first. Offsets are absolute positions in all that was ever
// appended, so a reader that fell behind sees what it missed. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace berth::slotd {

class LineLog {
 public:
  // Keeps at least three quarters of `limit` bytes once it has been full. `on_drop` is told the lines that go.
  explicit LineLog(std::size_t limit, std::uint64_t begin = 0, std::function<void(std::string_view)> on_drop = {});

  // `line` ends with its only newline. One that is longer than the limit is not kept.
  void append(std::string_view line);
  void clear();

  [[nodiscard]] std::uint64_t begin() const { return begin_; }
  [[nodiscard]] std::uint64_t end() const { return begin_ + text_.size(); }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::size_t memory() const { return text_.capacity(); }

  struct Part {
    std::uint64_t offset = 0;  // of the first byte of lines
    std::string_view lines;    // valid until the next append
  };
  // The lines from `offset` (the begin of a line, or before what is kept) on: as many as fit into max_bytes, at least
  // one; none at the end.
  [[nodiscard]] Part read(std::uint64_t offset, std::size_t max_bytes) const;

 private:
  void drop_oldest(std::size_t at_least);
  void grow(std::size_t capacity);

  const std::size_t limit_;
  std::uint64_t begin_;
  std::string text_;
  std::function<void(std::string_view)> on_drop_;
};

}  // namespace berth::slotd
