// SPDX-License-Identifier: Apache-2.0
// Containers: from StartContainer to gone.
#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"
#include "agent/pool/rules.hpp"

namespace berth::pool {
namespace {

constexpr Generation kFreshFloor = 1;  // slotd's floor before the first reset

bool acceptable(const ContainerStarted& event) {
  return event.slots >= 1 && event.slots <= kMostSlots;
}

}  // namespace

void Pool::Core::on(const ContainerStarted& event) {
  Container* container = find(event.container);
  if (container == nullptr) return emit(StopContainer{event.container, "this agent does not know it"});
  if (container->state == ContainerState::stopping) return;
  const bool starting = container->state == ContainerState::starting;
  if (!acceptable(event)) {
    const std::string why = "it reports " + std::to_string(event.slots) + " slots";
    return starting ? give_up_start(*container, why) : drain(*container, why);
  }
  if (starting) return first_start(*container, event);
  adopt(*container, event);
}

void Pool::Core::on(const ContainerSuspect& event) {
  Container* container = find(event.container);
  if (container == nullptr || container->state != ContainerState::up) return;
  container->cause = event.why;
  change(*container, ContainerState::suspect, event.why);
  timers_.set(container->alarm, now_ + options_.suspect_grace, container);
}

void Pool::Core::on(const ContainerHealthy& event) {
  Container* container = find(event.container);
  if (container == nullptr) return;
  if (!event.boot.empty() && event.boot != container->boot) {
    return on(ContainerRebooted{event.container, event.boot});
  }
  // What was restored is trusted only with its boot confirmed.
  const bool confirmed = !container->adopting || !event.boot.empty();
  if (container->state == ContainerState::suspect && confirmed) healthy(*container);
}

void Pool::Core::on(const ContainerRebooted& event) {
  Container* container = find(event.container);
  if (container == nullptr || event.boot == container->boot) return;
  if (container->state == ContainerState::up || container->state == ContainerState::suspect) {
    reboot(*container, event.boot, container->slots.size());
  }
}

void Pool::Core::on(const ContainerStopped& event) {
  const Container* container = find(event.container);
  const bool asked = container != nullptr && container->state == ContainerState::stopping;
  const std::string why = asked ? container->cause : "stopped by somebody else";
  gone(event.container, why);
}

void Pool::Core::on(const DrainRequested& event) {
  if (Container* container = find(event.container)) drain(*container, "asked for");
}

void Pool::Core::due(Container* container) {
  switch (container->state) {
    case ContainerState::starting: return give_up_start(*container, "it did not come up in time");
    case ContainerState::suspect: return drain(*container, "it does not answer: " + container->cause);
    case ContainerState::stopping:
      emit(StopContainer{container->id, container->cause});
      return timers_.set(container->alarm, now_ + options_.stop_timeout, container);
    case ContainerState::up: return shrink(*container);
    case ContainerState::gone: return;
  }
}

Container& Pool::Core::make_container(Job& job, std::string id, unsigned slots) {
  auto made = std::make_unique<Container>();
  Container& container = *made;
  container.id = std::move(id);
  container.number = next_container_++;
  container.job = &job;
  container.version = job.policy.version;
  container.up_since = now_;
  container.slots = std::vector<Slot>(slots);
  job.members.emplace(container.number, &container);
  containers_.emplace(container.id, std::move(made));
  return container;
}

void Pool::Core::start(Job& job) {
  const auto name = [this] { return options_.prefix + "-" + std::to_string(next_container_); };
  while (containers_.contains(name())) ++next_container_;
  Container& container = make_container(job, name(), job.policy.slots);
  recount(container);
  save(container);
  emit(ContainerChanged{container.id, job.policy.job, container.state, container.state, false, "wanted"});
  emit(StartContainer{container.id, job.policy.job, container.version});
  timers_.set(container.alarm, now_ + options_.start_timeout, &container);
}

void Pool::Core::first_start(Container& container, const ContainerStarted& event) {
  Job& job = *container.job;
  if (container.slots.size() != event.slots) container.slots = std::vector<Slot>(event.slots);
  container.boot = event.boot;
  container.up_since = now_;
  change(container, ContainerState::up);
  save(container);
  job.ever_up = true;
  job.last_failure.clear();
  watch_idle(container);
  for (unsigned i = event.slots; i-- > 0;) {
    Slot& slot = container.slots[i];
    slot.floor = i < event.floors.size() ? event.floors[i] : 0;
    if (slot.floor > kFreshFloor) {
      clean(container, i, "used before");
      continue;
    }
    slot.generation = rules_.next_generation(0, 0);
    change(container, i, SlotState::available);
    container.free.push_back(static_cast<std::uint16_t>(i));
  }
  recount(container);
}

void Pool::Core::adopt(Container& container, const ContainerStarted& event) {
  const bool same = !container.boot.empty() && event.boot == container.boot && event.slots == container.slots.size();
  if (!same) return reboot(container, event.boot, event.slots, event.floors);
  for (unsigned i = 0; i < std::min<std::size_t>(event.floors.size(), container.slots.size()); ++i) {
    Slot& slot = container.slots[i];
    slot.floor = std::max(slot.floor, event.floors[i]);
    if (slot.floor <= slot.generation) continue;
    const std::string why = "the slot was reset by somebody else";
    if (slot.tenancy != nullptr) {
      release(*slot.tenancy, EndReason::slot_lost, why);
    } else if (slot.state == SlotState::available || slot.asked) {
      std::erase(container.free, i);
      clean(container, i, why);
    }
  }
  if (container.state == ContainerState::suspect) healthy(container);
}

// Nothing of what ran before is left; every slot is reset to put slotd's floors above all earlier generations.
void Pool::Core::reboot(Container& container, const std::string& boot, std::size_t slots,
                        const std::vector<Generation>& floors) {
  const std::string why = "its container was restarted";
  for (Slot& slot : container.slots) {
    if (slot.tenancy != nullptr) end_lease(*slot.tenancy, EndReason::container_lost, why);
  }
  if (slots != container.slots.size()) resize(container, slots);
  container.free.clear();
  container.boot = boot;
  container.adopting = false;
  container.up_since = now_;
  save(container);
  if (container.state == ContainerState::suspect) change(container, ContainerState::up, why);
  watch_idle(container);
  for (unsigned i = 0; i < container.slots.size(); ++i) {
    if (i < floors.size()) container.slots[i].floor = floors[i];
    clean(container, i, why);
  }
  recount(container);
  stop_if_drained(container);
}

void Pool::Core::resize(Container& container, std::size_t slots) {
  lose_slots(container, EndReason::container_lost, "its container was restarted");
  std::vector<Slot> fresh(slots);
  for (std::size_t i = 0; i < std::min(slots, container.slots.size()); ++i) {
    fresh[i].generation = container.slots[i].generation;
  }
  container.slots = std::move(fresh);
}

void Pool::Core::healthy(Container& container) {
  container.adopting = false;
  container.cause.clear();
  change(container, ContainerState::up);
  watch_idle(container);
  ask_resets(container);
  recount(container);
}

void Pool::Core::change(Container& container, ContainerState to, std::string why) {
  const ContainerState from = container.state;
  container.state = to;
  timers_.clear(container.alarm);
  emit(ContainerChanged{container.id, container.job->policy.job, from, to, container.draining, std::move(why)});
  recount(container);
}

void Pool::Core::save(const Container& container) {
  persist(ContainerSaved{container.id, container.job->policy.job, container.boot, container.version,
                         static_cast<unsigned>(container.slots.size())});
}

void Pool::Core::recount(Container& container) {
  Job& job = *container.job;
  Tally tally;
  const Berths berths = container.berths();
  const bool drains = container.draining;
  switch (container.state) {
    case ContainerState::starting: ++(drains ? tally.draining : tally.starting); break;
    case ContainerState::up: ++(drains ? tally.draining : tally.up); break;
    case ContainerState::suspect: ++(drains ? tally.draining : tally.suspect); break;
    case ContainerState::stopping: ++tally.stopping; break;
    case ContainerState::gone: break;
  }
  if (tally.starting > 0) tally.coming = static_cast<unsigned>(container.slots.size());
  if (tally.up > 0 || (tally.suspect > 0 && container.adopting)) tally.coming = container.first_resets;
  const bool serves = rules_.may_serve(berths);
  tally.available = serves ? berths.available : 0;
  tally.leased = container.leased;
  tally.releasing = container.releasing;
  tally.broken = container.broken;
  job.sum -= container.counted;
  job.sum += tally;
  container.counted = tally;
  if (tally.available > 0) {
    job.open.emplace(container.number, &container);
  } else {
    job.open.erase(container.number);
  }
  touch(job);
}

Container* Pool::Core::find(std::string_view id) {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : found->second.get();
}

}  // namespace berth::pool
