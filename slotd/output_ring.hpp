// SPDX-License-Identifier: Apache-2.0
// One stream of a command's output, bounded: the head and the tail are kept, the middle is dropped, the counts are
// exact. Offsets are absolute positions in the stream, so a reader that fell behind sees where bytes are missing.
// Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::slotd {

inline constexpr std::size_t kOutputCharacters = 50'000;  // a stream, in answers (wire.md 1.6)
inline constexpr std::string_view kTruncationMark = "\n... (output truncated)\n";

class OutputRing {
 public:
  // A UTF-8 character has at most four bytes: so many bytes at each end always hold half of kOutputCharacters.
  static constexpr std::size_t kHeadBytes = kOutputCharacters / 2 * 4;
  static constexpr std::size_t kTailBytes = kHeadBytes;

  void append(std::string_view data);

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::size_t kept_bytes() const { return head_.size() + tail_.size(); }
  [[nodiscard]] bool dropped() const { return total_ > kept_bytes(); }

  struct Part {
    std::uint64_t offset = 0;  // of the first byte of data; larger than asked where bytes were dropped
    std::string data;
  };
  // What is kept from `offset` on, at most `max_bytes`; empty data at the end.
  [[nodiscard]] Part read(std::uint64_t offset, std::size_t max_bytes) const;

  struct Text {
    std::string text;  // valid UTF-8, at most kOutputCharacters characters and the mark
    bool truncated = false;
    bool lossy = false;  // some bytes were not UTF-8 and were replaced
  };
  [[nodiscard]] Text text() const;

 private:
  [[nodiscard]] std::uint64_t tail_start() const { return total_ - tail_.size(); }
  [[nodiscard]] std::string tail_bytes() const;  // in order

  std::uint64_t total_ = 0;
  std::string head_;
  std::string tail_;           // circular once it is full
  std::size_t tail_next_ = 0;  // where the next byte goes when it is full
};

}  // namespace berth::slotd
