// SPDX-License-Identifier: Apache-2.0
// Containers: drained, given back, stopped, lost.
#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {
namespace {

constexpr Duration kLeastShrinkPause = std::chrono::seconds(1);

}  // namespace

// A container that did not become usable: taken down, and counted like one that failed by itself.
void Pool::Core::give_up_start(Container& container, const std::string& why) {
  drain(container, why);
  start_failed(*container.job, why);
}

void Pool::Core::drain(Container& container, const std::string& why) {
  if (container.draining || container.state == ContainerState::stopping) return;
  container.draining = true;
  container.cause = why;
  emit(ContainerChanged{container.id, container.job->policy.job, container.state, container.state, true, why});
  recount(container);
  stop_if_drained(container);
}

void Pool::Core::stop(Container& container, const std::string& why) {
  container.cause = why;
  lose_slots(container, EndReason::container_lost, why);
  change(container, ContainerState::stopping, why);
  emit(StopContainer{container.id, why});
  timers_.set(container.alarm, now_ + options_.stop_timeout, &container);
}

void Pool::Core::stop_if_drained(Container& container) {
  if (!container.draining || container.state == ContainerState::stopping) return;
  if (rules_.may_stop(container.berths())) stop(container, container.cause);
}

void Pool::Core::gone(std::string_view id, const std::string& why) {
  Container* container = find(id);
  if (container == nullptr) return;
  Job& job = *container->job;
  const ContainerState from = container->state;
  const bool early = from != ContainerState::stopping && now_ - container->up_since < options_.most_backoff;
  lose_slots(*container, EndReason::container_lost, why);
  change(*container, ContainerState::gone, why);
  persist(ContainerDropped{container->id});
  job.members.erase(container->number);
  containers_.erase(container->id);
  if (from == ContainerState::starting) return start_failed(job, why);
  if (early) back_off(job, why);
}

void Pool::Core::lose_slots(Container& container, EndReason reason, const std::string& why) {
  for (unsigned i = 0; i < container.slots.size(); ++i) {
    Slot& slot = container.slots[i];
    timers_.clear(slot.alarm);
    slot.asked = false;
    if (slot.tenancy != nullptr) end_lease(*slot.tenancy, reason, why);
    change(container, i, SlotState::lost, why);
  }
  container.free.clear();
  recount(container);
}

void Pool::Core::watch_idle(Container& container) {
  container.idle_since = now_;
  if (container.state != ContainerState::up || container.draining || container.alarm.is_set()) return;
  timers_.set(container.alarm, now_ + std::max(container.job->policy.shrink_after, kLeastShrinkPause), &container);
}

void Pool::Core::shrink(Container& container) {
  if (container.leased > 0) return;
  const TimePoint ripe = container.idle_since + container.job->policy.shrink_after;
  if (ripe <= now_ && !closing_ && rules_.may_shrink(container.job->census(), container.berths())) {
    return drain(container, "idle");
  }
  timers_.set(container.alarm, std::max(ripe, now_ + kLeastShrinkPause), &container);
}

}  // namespace berth::pool
