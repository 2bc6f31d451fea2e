// SPDX-License-Identifier: Apache-2.0
// Slots: reset, verified, rebuilt.
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {

void Pool::Core::on(const SlotReset& event) {
  Container* container = find(event.container);
  if (container == nullptr || event.slot >= container->slots.size()) return;
  Slot& slot = container->slots[event.slot];
  if (slot.state != SlotState::releasing || !slot.asked) return;
  if (!rules_.reset_frees(slot.generation, event.generation, event.ok)) {
    if (!event.ok && event.generation == slot.generation) reset_failed(*container, event.slot, event.why);
    return;
  }
  timers_.clear(slot.alarm);
  slot.asked = false;
  change(*container, event.slot, SlotState::available);
  slot.failures = 0;
  container->free.push_back(static_cast<std::uint16_t>(event.slot));
  recount(*container);
}

void Pool::Core::due(SlotAt at) {
  const Slot& slot = at.container->slots[at.index];
  if (slot.state == SlotState::error) return clean(*at.container, at.index, "rebuild");
  if (slot.state == SlotState::releasing) reset_failed(*at.container, at.index, "the reset was not answered in time");
}

void Pool::Core::change(Container& container, unsigned index, SlotState to, std::string why) {
  Slot& slot = container.slots[index];
  const SlotState from = slot.state;
  if (from == to) return;
  const unsigned first = slot.failures == 0 ? 1 : 0;
  if (from == SlotState::releasing) --container.releasing, container.first_resets -= first;
  if (to == SlotState::releasing) ++container.releasing, container.first_resets += first;
  if (from == SlotState::error) --container.broken;
  if (to == SlotState::error) ++container.broken;
  slot.state = to;
  slot.cause = to == SlotState::error ? why : std::string{};
  emit(SlotChanged{container.id, index, container.job->policy.job, from, to, slot.generation,
                   slot.tenancy != nullptr ? slot.tenancy->lease.id : std::string{}, std::move(why)});
}

// Whatever the slot was, it is reset before anyone gets it: now, or when its container is healthy again.
void Pool::Core::clean(Container& container, unsigned index, std::string why) {
  Slot& slot = container.slots[index];
  timers_.clear(slot.alarm);
  slot.asked = false;
  change(container, index, SlotState::releasing, std::move(why));
  if (container.state == ContainerState::up) ask_reset(container, index);
  recount(container);
}

void Pool::Core::ask_reset(Container& container, unsigned index) {
  Slot& slot = container.slots[index];
  slot.generation = rules_.next_generation(slot.generation, slot.floor);
  slot.asked = true;
  persist(SlotSaved{container.id, index, slot.generation});
  emit(ResetSlot{container.id, index, slot.generation, slot.failures > 0});
  timers_.set(slot.alarm, now_ + options_.reset_timeout, SlotAt{&container, index});
}

void Pool::Core::ask_resets(Container& container) {
  for (unsigned i = 0; i < container.slots.size(); ++i) {
    if (container.slots[i].state == SlotState::releasing && !container.slots[i].asked) ask_reset(container, i);
  }
}

void Pool::Core::reset_failed(Container& container, unsigned index, const std::string& why) {
  Slot& slot = container.slots[index];
  timers_.clear(slot.alarm);
  slot.asked = false;
  change(container, index, SlotState::error, why);
  ++slot.failures;
  recount(container);
  if (slot.failures >= options_.max_rebuilds) {
    return drain(container, slot_name(index) + " cannot be reset: " + why);
  }
  if (container.draining) return;
  const Duration pause = rules_.backoff(slot.failures, options_.first_backoff, options_.most_backoff);
  timers_.set(slot.alarm, now_ + pause, SlotAt{&container, index});
}

}  // namespace berth::pool
