// SPDX-License-Identifier: Apache-2.0
#include "slotd/session/prompt_filter.hpp"

#include <algorithm>
#include <utility>

namespace berth::slotd {
namespace {

// A private operating system command, which terminals that do not know it leave out.
constexpr std::string_view kOpen = "\x1b]797;";
constexpr char kClose = '\x07';
constexpr char kCommandDigit = '1';
constexpr char kContinuationDigit = '2';
constexpr std::size_t kTail = 2;  // digit and close

std::optional<Prompt> prompt_of(std::string_view tail) {
  if (tail.size() < kTail || tail[1] != kClose) return std::nullopt;
  if (tail[0] == kCommandDigit) return Prompt::command;
  if (tail[0] == kContinuationDigit) return Prompt::continuation;
  return std::nullopt;
}

bool may_become_tail(std::string_view tail) {
  return tail.empty() || (tail.size() == 1 && (tail[0] == kCommandDigit || tail[0] == kContinuationDigit));
}

}  // namespace

PromptFilter::PromptFilter(std::string_view secret) : head_(std::string(kOpen) + std::string(secret) + ';') {}

std::string PromptFilter::mark(Prompt prompt) const {
  return head_ + (prompt == Prompt::command ? kCommandDigit : kContinuationDigit) + kClose;
}

const std::vector<PromptFilter::Piece>& PromptFilter::take(std::string_view bytes) {
  pieces_.clear();
  if (!kept_.empty()) {
    joined_ = std::exchange(kept_, {});
    joined_ += bytes;
    bytes = joined_;
  }
  std::size_t text = 0;
  for (auto at = bytes.find(head_[0]); at != std::string_view::npos; at = bytes.find(head_[0], at + 1)) {
    const auto rest = bytes.substr(at);
    const auto size = std::min(rest.size(), head_.size());
    if (rest.substr(0, size) != std::string_view(head_).substr(0, size)) continue;
    const auto tail = rest.substr(size);
    if (size < head_.size() || may_become_tail(tail)) {
      pieces_.push_back({bytes.substr(text, at - text), std::nullopt});
      kept_ = rest;
      return pieces_;
    }
    const auto prompt = prompt_of(tail);
    if (!prompt) continue;
    pieces_.push_back({bytes.substr(text, at - text), prompt});
    text = at + head_.size() + kTail;
    at = text - 1;
  }
  if (text < bytes.size()) pieces_.push_back({bytes.substr(text), std::nullopt});
  return pieces_;
}

std::string PromptFilter::flush() {
  return std::exchange(kept_, {});
}

}  // namespace berth::slotd
