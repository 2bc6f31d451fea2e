// SPDX-License-Identifier: Apache-2.0
// Bytes received and not yet used, in one growing block of bounded size.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace berth::http {

class InputBuffer {
 public:
  explicit InputBuffer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  [[nodiscard]] std::string_view view() const { return {storage_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Room for the next receive; empty when `max_bytes` are waiting to be used. Moves what is there: views end here.
  [[nodiscard]] std::span<char> prepare() {
    if (begin_ > 0 && (end_ == storage_.size() || begin_ > storage_.size() / 2)) compact();
    if (end_ == storage_.size() && storage_.size() < max_bytes_) grow();
    return {storage_.data() + end_, storage_.size() - end_};
  }
  void commit(std::size_t count) { end_ += count; }

 private:
  static constexpr std::size_t kFirstBlock = 4096;

  void compact() {
    std::memmove(storage_.data(), storage_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  void grow() {
    const std::size_t wanted = storage_.empty() ? kFirstBlock : storage_.size() * 2;
    storage_.resize(wanted < max_bytes_ ? wanted : max_bytes_);
  }

  std::vector<char> storage_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t max_bytes_;
};

}  // namespace berth::http
