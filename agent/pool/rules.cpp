// SPDX-License-Identifier: Apache-2.0
#include "agent/pool/rules.hpp"

#include <algorithm>

namespace berth::pool {
namespace {

bool reset_frees(Generation awaited, Generation answered, bool ok) {
  return ok && answered == awaited;
}

Generation next_generation(Generation known, Generation floor) {
  return std::max(known, floor) + 1;
}

bool may_serve(const Berths& container) {
  return container.state == ContainerState::up && !container.draining;
}

bool may_shrink(const Census& job, const Berths& container) {
  if (container.leased > 0 || !may_serve(container) || job.serving <= job.min) return false;
  return job.available + job.coming >= container.available + job.waiting + job.spare;
}

bool may_stop(const Berths& container) {
  return container.leased == 0;
}

unsigned to_start(const Census& job) {
  const unsigned room = job.max > job.total ? job.max - job.total : 0;
  const unsigned missing = job.min > job.serving ? job.min - job.serving : 0;
  const std::size_t wanted = job.waiting + job.spare;
  const std::size_t had = job.available + job.coming;
  const std::size_t lacking = wanted > had ? (wanted - had + job.slots - 1) / job.slots : 0;
  return static_cast<unsigned>(std::min<std::size_t>(room, std::max<std::size_t>(missing, lacking)));
}

bool may_wait(std::size_t waiting, std::size_t limit) {
  return waiting < limit;
}

bool is_over(TimePoint end, TimePoint now) {
  return end <= now;
}

Duration backoff(unsigned failures, Duration first, Duration most) {
  Duration pause = first;
  for (unsigned i = 1; i < failures && pause < most; ++i) pause *= 2;
  return std::min(pause, most);
}

}  // namespace

Rules default_rules() {
  return {reset_frees, next_generation, may_serve, may_shrink, may_stop, to_start, may_wait, is_over, backoff};
}

}  // namespace berth::pool
