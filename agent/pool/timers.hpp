// SPDX-License-Identifier: Apache-2.0
// Alarms of the pool: ordered by time, then by the order in which they were set, so that equal inputs fire alike.
// Setting costs O(log n), clearing O(1).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.hpp"

namespace berth::pool {

template <typename Target>
class Timers {
 public:
  // Part of the object that it wakes, which must clear it before it goes away.
  class Alarm {
   public:
    Alarm() = default;
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;
    [[nodiscard]] bool is_set() const { return place_.has_value(); }
    // max when not set.
    [[nodiscard]] TimePoint at() const { return place_ ? (*place_)->first.first : TimePoint::max(); }

   private:
    friend class Timers;
    std::optional<typename std::map<std::pair<TimePoint, std::uint64_t>, std::pair<Target, Alarm*>>::iterator> place_;
  };

  // Replaces an earlier setting; max means never.
  void set(Alarm& alarm, TimePoint at, Target target) {
    clear(alarm);
    if (at == TimePoint::max()) return;
    alarm.place_ = order_.emplace(std::pair{at, next_++}, std::pair{target, &alarm}).first;
  }
  void clear(Alarm& alarm) {
    if (alarm.place_) order_.erase(*alarm.place_);
    alarm.place_.reset();
  }
  [[nodiscard]] TimePoint first() const { return order_.empty() ? TimePoint::max() : order_.begin()->first.first; }
  // The earliest target due at `now`, its alarm cleared.
  [[nodiscard]] std::optional<Target> pop(TimePoint now) {
    if (order_.empty() || order_.begin()->first.first > now) return std::nullopt;
    auto [target, alarm] = order_.begin()->second;
    clear(*alarm);
    return target;
  }

 private:
  std::map<std::pair<TimePoint, std::uint64_t>, std::pair<Target, Alarm*>> order_;
  std::uint64_t next_ = 0;
};

}  // namespace berth::pool
