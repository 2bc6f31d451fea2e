// SPDX-License-Identifier: Apache-2.0
#include "agent/pool/state.hpp"

namespace berth::pool {

TimePoint Lease::idle_at() const {
  if (calls > 0 || idle > TimePoint::max() - used_at) return TimePoint::max();
  return used_at + idle;
}

Tally& operator+=(Tally& sum, const Tally& part) {
  sum.starting += part.starting;
  sum.up += part.up;
  sum.suspect += part.suspect;
  sum.draining += part.draining;
  sum.stopping += part.stopping;
  sum.available += part.available;
  sum.coming += part.coming;
  sum.leased += part.leased;
  sum.releasing += part.releasing;
  sum.broken += part.broken;
  return sum;
}

Tally& operator-=(Tally& sum, const Tally& part) {
  sum.starting -= part.starting;
  sum.up -= part.up;
  sum.suspect -= part.suspect;
  sum.draining -= part.draining;
  sum.stopping -= part.stopping;
  sum.available -= part.available;
  sum.coming -= part.coming;
  sum.leased -= part.leased;
  sum.releasing -= part.releasing;
  sum.broken -= part.broken;
  return sum;
}

Census Job::census() const {
  Census census;
  census.min = policy.min;
  census.max = policy.max;
  census.spare = policy.spare;
  census.slots = policy.slots;
  census.waiting = waiting_trajectories.size() + missed;
  census.available = sum.available;
  census.coming = sum.coming;
  census.serving = serving();
  census.total = serving() + sum.draining + sum.stopping;
  return census;
}

std::string affinity_key(std::string_view owner, std::string_view trajectory) {
  // The length keeps ("a", "bc") and ("ab", "c") apart whatever the names contain.
  std::string key = std::to_string(owner.size());
  key.append(":").append(owner).append(trajectory);
  return key;
}

}  // namespace berth::pool
