// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.hpp"

namespace berth {

Deadline Deadline::after(TimePoint now, std::chrono::duration<double> seconds) {
  if (!(seconds.count() > 0)) return Deadline(now);  // also NaN
  // The room is rounded to a double, perhaps upwards, so it is compared with a margin before the exact conversion.
  const std::chrono::duration<double> room = std::chrono::duration<double>(TimePoint::max().time_since_epoch()) -
                                             std::chrono::duration<double>(now.time_since_epoch());
  if (seconds >= room * 0.999) return Deadline();
  return Deadline(now + std::chrono::duration_cast<Duration>(seconds));
}

Duration Deadline::remaining(TimePoint now) const {
  if (is_never()) return Duration::max();
  if (expired(now)) return Duration::zero();
  // A `now` before the epoch may be further away than a Duration can say.
  const auto start = now.time_since_epoch();
  if (start < Duration::zero() && at_.time_since_epoch() > Duration::max() + start) return Duration::max();
  return at_ - now;
}

}  // namespace berth
