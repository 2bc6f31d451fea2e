// SPDX-License-Identifier: Apache-2.0
// The state of an earlier agent life, taken up again.
#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {

void Pool::Core::on(const Restored& event) {
  for (const JobApplied& policy : event.jobs) on(policy);
  for (const RestoredContainer& saved : event.containers) restore(saved);
  for (const Lease& saved : event.leases) restore(saved);
  for (const RestoredContainer& saved : event.containers) {
    Container* container = find(saved.container);
    if (container == nullptr) continue;
    for (unsigned i = 0; i < container->slots.size(); ++i) {
      if (container->slots[i].state == SlotState::starting) clean(*container, i, "restored");
    }
    recount(*container);
    if (container->version != container->job->policy.version) drain(*container, "the job was changed");
    if (container->job->removing) drain(*container, "the job was removed");
  }
  for (auto& [name, job] : jobs_) drain_surplus(*job);
}

void Pool::Core::restore(const RestoredContainer& saved) {
  if (containers_.contains(saved.container)) return;
  auto found = jobs_.find(saved.job);
  if (found == jobs_.end()) {
    JobApplied nothing;
    nothing.job = saved.job;
    nothing.min = nothing.max = 0;
    nothing.version = saved.version;
    make_job(nothing).removing = true;
    found = jobs_.find(saved.job);
  }
  Container& container =
      make_container(*found->second, saved.container, static_cast<unsigned>(saved.generations.size()));
  container.version = saved.version;
  container.boot = saved.boot;
  container.adopting = true;
  // The first lease of a slot has the first generation, which is not stored: it may have been lent.
  const Generation first = rules_.next_generation(0, 0);
  for (unsigned i = 0; i < container.slots.size(); ++i) {
    container.slots[i].generation = std::max(first, saved.generations[i]);
  }
  container.cause = "not heard of since the agent was restarted";
  change(container, ContainerState::suspect, container.cause);
  timers_.set(container.alarm, now_ + options_.suspect_grace, &container);
}

void Pool::Core::restore(const Lease& saved) {
  Container* container = find(saved.container);
  const bool fits = container != nullptr && container->adopting && saved.slot < container->slots.size() &&
                    container->job->policy.job == saved.job;
  Slot* slot = fits ? &container->slots[saved.slot] : nullptr;
  const std::string key = affinity_key(saved.owner, saved.trajectory);
  const bool free = slot != nullptr && slot->tenancy == nullptr && !tenancies_.contains(saved.id) &&
                    !container->job->tenancies.contains(key) && saved.generation >= slot->generation;
  if (!free || rules_.is_over(saved.ends_at, now_)) {
    if (tenancies_.contains(saved.id)) return;
    persist(LeaseDropped{saved.id});
    return remember(saved.id, free ? EndReason::ttl : EndReason::slot_lost);
  }
  slot->generation = saved.generation;
  AcquireRequested wish;
  wish.lease = saved.id;
  wish.trajectory = saved.trajectory;
  wish.owner = saved.owner;
  wish.idle = saved.idle;
  Tenancy& tenancy = make_lease(*container->job, *container, saved.slot, wish);
  tenancy.lease.ends_at = saved.ends_at;
  watch(tenancy);
}

}  // namespace berth::pool
