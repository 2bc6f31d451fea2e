// SPDX-License-Identifier: Apache-2.0
// A deadline is a point in time, made once from the caller's budget and passed down; budgets are never added up again.
#pragma once

#include "base/clock.hpp"

namespace berth {

class Deadline {
 public:
  // Never expires.
  constexpr Deadline() = default;
  explicit constexpr Deadline(TimePoint at) : at_(at) {}
  // `seconds` may be negative (already expired), huge or NaN (NaN: already expired); never overflows.
  [[nodiscard]] static Deadline after(TimePoint now, std::chrono::duration<double> seconds);

  [[nodiscard]] constexpr TimePoint at() const { return at_; }
  [[nodiscard]] constexpr bool is_never() const { return at_ == TimePoint::max(); }
  [[nodiscard]] constexpr bool expired(TimePoint now) const { return now >= at_; }
  // Zero once expired; Duration::max() when it never expires.
  [[nodiscard]] Duration remaining(TimePoint now) const;
  [[nodiscard]] constexpr Deadline earlier(Deadline other) const { return at_ < other.at_ ? *this : other; }

 private:
  TimePoint at_ = TimePoint::max();
};

}  // namespace berth
