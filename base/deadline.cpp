// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.hpp"

namespace berth {

Deadline Deadline::after(TimePoint now, std::chrono::duration<double> seconds) {
  if (!(seconds.count() > 0)) return Deadline(now);  // also NaN
  // The room is rounded to a double, perhaps upwards, so it is compared with a margin before the exact conversion.
  const std::chrono::duration<double> room = TimePoint::max() - now;
  if (seconds >= room * 0.999) return Deadline();
  return Deadline(now + std::chrono::duration_cast<Duration>(seconds));
}

Duration Deadline::remaining(TimePoint now) const {
  if (is_never()) return Duration::max();
  return expired(now) ? Duration::zero() : at_ - now;
}

}  // namespace berth
