// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/line_log.hpp"

#include <algorithm>

namespace berth::slotd {

LineLog::LineLog(std::size_t limit, std::uint64_t begin, std::function<void(std::string_view)> on_drop)
    : limit_(limit), begin_(begin), on_drop_(std::move(on_drop)) {}

// Dropping a quarter at a time makes the moving of the rest cheap.
void LineLog::append(std::string_view line) {
  const auto wanted = text_.size() + line.size();
  if (wanted > limit_) drop_oldest(wanted - limit_ / 4 * 3);
  if (line.size() > limit_) {
    if (on_drop_) on_drop_(line);
    begin_ += line.size();
    return;
  }
  if (wanted > text_.capacity()) grow(std::min(limit_, std::max(wanted, 2 * text_.capacity())));
  text_ += line;
}

// A string that grows by itself doubles, past the limit.
void LineLog::grow(std::size_t capacity) {
  std::string larger;
  larger.reserve(capacity);
  larger += text_;
  text_.swap(larger);
}

void LineLog::clear() {
  begin_ = end();
  text_.clear();
}

void LineLog::drop_oldest(std::size_t at_least) {
  const auto newline = at_least > text_.size() ? std::string::npos : text_.find('\n', at_least - 1);
  const auto size = newline == std::string::npos ? text_.size() : newline + 1;
  if (on_drop_) on_drop_(std::string_view(text_).substr(0, size));
  text_.erase(0, size);
  begin_ += size;
}

LineLog::Part LineLog::read(std::uint64_t offset, std::size_t max_bytes) const {
  const auto start = std::clamp(offset, begin_, end());
  const auto rest = std::string_view(text_).substr(start - begin_);
  if (rest.size() <= max_bytes) return {start, rest};
  const auto last = max_bytes == 0 ? std::string_view::npos : rest.rfind('\n', max_bytes - 1);
  const auto size = last == std::string_view::npos ? rest.find('\n') + 1 : last + 1;
  return {start, rest.substr(0, size)};
}

}  // namespace berth::slotd
