// SPDX-License-Identifier: Apache-2.0
#include "slotd/output_ring.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace berth::slotd {
namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// The first `count` characters of valid UTF-8.
std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && count > 0) {
    ++at;
    while (at < text.size() && is_continuation(text[at])) ++at;
    --count;
  }
  return text.substr(0, at);
}

std::string_view last_characters(std::string_view text, std::size_t count) {
  std::size_t at = text.size();
  while (at > 0 && count > 0) {
    --at;
    while (at > 0 && is_continuation(text[at])) --at;
    --count;
  }
  return text.substr(at);
}

// Cutting a stream in the middle may leave the end of a character; it is no fault of the command's.
std::string_view without_leading_continuation(std::string_view bytes) {
  std::size_t skip = 0;
  while (skip < std::min<std::size_t>(3, bytes.size()) && is_continuation(bytes[skip])) ++skip;
  return bytes.substr(skip);
}

}  // namespace

void OutputRing::append(std::string_view data) {
  total_ += data.size();
  if (head_.size() < kHeadBytes) {
    const auto part = data.substr(0, kHeadBytes - head_.size());
    head_.append(part);
    data.remove_prefix(part.size());
  }
  if (data.size() > kTailBytes) data.remove_prefix(data.size() - kTailBytes);
  if (tail_.size() < kTailBytes) {
    const auto part = data.substr(0, kTailBytes - tail_.size());
    tail_.append(part);
    data.remove_prefix(part.size());
  }
  while (!data.empty()) {
    const auto part = data.substr(0, kTailBytes - tail_next_);
    tail_.replace(tail_next_, part.size(), part);
    tail_next_ = (tail_next_ + part.size()) % kTailBytes;
    data.remove_prefix(part.size());
  }
}

std::string OutputRing::tail_bytes() const {
  return tail_.substr(tail_next_) + tail_.substr(0, tail_next_);
}

OutputRing::Part OutputRing::read(std::uint64_t offset, std::size_t max_bytes) const {
  if (offset < head_.size()) return {offset, head_.substr(offset, max_bytes)};
  const auto start = std::min(std::max(offset, tail_start()), total_);
  return {start, tail_bytes().substr(start - tail_start(), max_bytes)};
}

OutputRing::Text OutputRing::text() const {
  constexpr auto kHalf = kOutputCharacters / 2;
  if (!dropped()) {
    const auto bytes = head_ + tail_bytes();
    const bool lossy = !is_valid_utf8(bytes);
    auto text = lossy ? to_valid_utf8(bytes) : bytes;
    if (text.size() <= kOutputCharacters || utf8_length(text) <= kOutputCharacters)
      return {std::move(text), false, lossy};
    std::string cut{first_characters(text, kHalf)};
    cut += kTruncationMark;
    cut += last_characters(text, kHalf);
    return {std::move(cut), true, lossy};
  }
  const auto tail = tail_bytes();
  const auto head_part = without_partial_end(head_);
  const auto tail_part = without_leading_continuation(tail);
  Text result{{}, true, !is_valid_utf8(head_part) || !is_valid_utf8(tail_part)};
  result.text = first_characters(to_valid_utf8(head_part), kHalf);
  result.text += kTruncationMark;
  const auto tail_text = to_valid_utf8(tail_part);
  result.text += last_characters(tail_text, kHalf);
  return result;
}

}  // namespace berth::slotd
