// SPDX-License-Identifier: Apache-2.0
// Cuts a stream of bytes into lines; each byte is looked at and moved a bounded number of times.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth::http {

class LineBuffer {
 public:
  [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }

  void append(std::string_view data) {
    bytes_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
    bytes_.append(data);
  }

  // The next line without its newline; nothing until its end has come.
  [[nodiscard]] std::optional<std::string> take_line() {
    const std::size_t end = bytes_.find('\n', scanned_);
    if (end == std::string::npos) {
      scanned_ = bytes_.size();
      return std::nullopt;
    }
    std::string line = bytes_.substr(begin_, end - begin_);
    begin_ = scanned_ = end + 1;
    return line;
  }

  [[nodiscard]] std::string take_some(std::size_t max_bytes) {
    std::string some = bytes_.substr(begin_, max_bytes);
    begin_ += some.size();
    scanned_ = begin_;
    return some;
  }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;  // no newline between begin_ and here
};

}  // namespace berth::http
