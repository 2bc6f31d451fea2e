// SPDX-License-Identifier: Apache-2.0
// Which executions of a slot's present generation have been sent, by whichever request: of those no later answer may
// say that they never began. Errs to "may have" only: marks of different ids may be equal, and past kMost all count as
// sent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace berth::agent {

class SentIds {
 public:
  static constexpr std::size_t kMost = 16'384;

  void add(std::uint64_t generation, std::string_view id) {
    if (generation > generation_) *this = SentIds(generation);
    if (generation < generation_ || full_) return;
    full_ = marks_.size() == kMost;
    if (!full_) marks_.push_back(mark_of(id));
  }
  // Nothing of it left after all.
  void take_back(std::uint64_t generation, std::string_view id) {
    if (generation != generation_) return;
    const auto found = std::find(marks_.rbegin(), marks_.rend(), mark_of(id));
    if (found != marks_.rend()) marks_.erase(std::next(found).base());
  }
  [[nodiscard]] bool may_hold(std::uint64_t generation, std::string_view id) const {
    if (generation != generation_) return generation < generation_;
    return full_ || std::find(marks_.begin(), marks_.end(), mark_of(id)) != marks_.end();
  }

  SentIds() = default;

 private:
  explicit SentIds(std::uint64_t generation) : generation_(generation) {}
  static std::uint32_t mark_of(std::string_view id) {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(id));
  }

  std::uint64_t generation_ = 0;
  std::vector<std::uint32_t> marks_;
  bool full_ = false;
};

}  // namespace berth::agent
