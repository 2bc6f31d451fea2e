// SPDX-License-Identifier: Apache-2.0
#include "agent/pool/views.hpp"

#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {
namespace {

JobView view_of(const Job& job, TimePoint now) {
  JobView view;
  view.job = job.policy.job;
  view.min = job.policy.min;
  view.max = job.policy.max;
  view.spare = job.policy.spare;
  view.removing = job.removing;
  view.starting = job.sum.starting;
  view.up = job.sum.up;
  view.suspect = job.sum.suspect;
  view.draining = job.sum.draining;
  view.stopping = job.sum.stopping;
  view.available = job.sum.available;
  view.leased = job.sum.leased;
  view.releasing = job.sum.releasing;
  view.broken = job.sum.broken;
  view.waiting = job.queue.size();
  view.failures = job.failures;
  view.last_failure = job.last_failure;
  if (job.retry_at > now) view.retry_at = job.retry_at;
  return view;
}

SlotView view_of(const Container& container, unsigned index) {
  const Slot& slot = container.slots[index];
  SlotView view;
  view.container = container.id;
  view.slot = index;
  view.job = container.job->policy.job;
  view.state = slot.state;
  view.generation = slot.generation;
  view.cause = slot.cause;
  if (slot.tenancy == nullptr) return view;
  view.lease = slot.tenancy->lease.id;
  view.trajectory = slot.tenancy->lease.trajectory;
  if (slot.tenancy->lease.calls > 0) view.state = SlotState::executing;
  return view;
}

bool wanted(const Container& container, std::string_view job) {
  return job.empty() || container.job->policy.job == job;
}

}  // namespace

const Lease* Pool::Core::find_lease(std::string_view id) const {
  const auto found = tenancies_.find(id);
  return found == tenancies_.end() ? nullptr : &found->second->lease;
}

const Lease* Pool::Core::find_lease(std::string_view job, std::string_view owner, std::string_view trajectory) const {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return nullptr;
  const auto held = found->second->tenancies.find(affinity_key(owner, trajectory));
  return held == found->second->tenancies.end() ? nullptr : &held->second->lease;
}

const Lease* Pool::Core::find_lease_of_slot(std::string_view container, unsigned slot) const {
  const auto found = containers_.find(container);
  if (found == containers_.end() || slot >= found->second->slots.size()) return nullptr;
  const Tenancy* tenancy = found->second->slots[slot].tenancy;
  return tenancy == nullptr ? nullptr : &tenancy->lease;
}

std::optional<EndReason> Pool::Core::ended(std::string_view lease) const {
  const auto found = ended_.find(lease);
  return found == ended_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<JobView> Pool::Core::jobs() const {
  std::vector<JobView> views;
  for (const auto& [name, job] : jobs_) views.push_back(view_of(*job, now_));
  return views;
}

std::optional<JobView> Pool::Core::job(std::string_view name) const {
  const auto found = jobs_.find(name);
  return found == jobs_.end() ? std::nullopt : std::optional(view_of(*found->second, now_));
}

std::vector<ContainerView> Pool::Core::containers(std::string_view job) const {
  std::vector<ContainerView> views;
  for (const auto& [id, container] : containers_) {
    if (!wanted(*container, job)) continue;
    views.push_back({id, container->job->policy.job, container->state, container->draining, container->boot,
                     container->cause, static_cast<unsigned>(container->slots.size()),
                     static_cast<unsigned>(container->free.size()), container->leased});
  }
  return views;
}

std::vector<SlotView> Pool::Core::slots(std::string_view job) const {
  std::vector<SlotView> views;
  for (const auto& [id, container] : containers_) {
    if (!wanted(*container, job)) continue;
    for (unsigned i = 0; i < container->slots.size(); ++i) views.push_back(view_of(*container, i));
  }
  return views;
}

std::vector<Lease> Pool::Core::leases(std::string_view job) const {
  std::vector<Lease> views;
  for (const auto& [id, tenancy] : tenancies_) {
    if (job.empty() || tenancy->lease.job == job) views.push_back(tenancy->lease);
  }
  std::sort(views.begin(), views.end(), [](const Lease& a, const Lease& b) { return a.id < b.id; });
  return views;
}

}  // namespace berth::pool
