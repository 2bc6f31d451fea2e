// SPDX-License-Identifier: Apache-2.0
// Leases: made, used, ended, remembered.
#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {
namespace {

TimePoint add(TimePoint at, Duration by) {
  return by > TimePoint::max() - at ? TimePoint::max() : at + by;
}

}  // namespace

void Pool::Core::on(const RenewRequested& event) {
  const auto found = tenancies_.find(event.lease);
  if (found == tenancies_.end()) return;
  Tenancy& tenancy = *found->second;
  if (event.ttl) tenancy.lease.ends_at = add(now_, *event.ttl);
  if (event.idle) tenancy.lease.idle = *event.idle;
  use(tenancy);
  persist(LeaseSaved{tenancy.lease});
}

void Pool::Core::on(const ReleaseRequested& event) {
  if (const auto found = tenancies_.find(event.lease); found != tenancies_.end()) {
    release(*found->second, EndReason::released);
  }
}

void Pool::Core::on(const LeaseUsed& event) {
  if (const auto found = tenancies_.find(event.lease); found != tenancies_.end()) use(*found->second);
}

void Pool::Core::on(const CallStarted& event) {
  const auto found = tenancies_.find(event.lease);
  if (found == tenancies_.end()) return;
  ++found->second->lease.calls;
  use(*found->second);
}

void Pool::Core::on(const CallEnded& event) {
  const auto found = tenancies_.find(event.lease);
  if (found == tenancies_.end()) return;
  if (found->second->lease.calls > 0) --found->second->lease.calls;
  use(*found->second);
}

void Pool::Core::due(Tenancy* tenancy) {
  const Lease& lease = tenancy->lease;
  if (lease.expires_at() > now_) return watch(*tenancy);
  if (rules_.is_over(lease.ends_at, now_)) return release(*tenancy, EndReason::ttl);
  if (rules_.is_over(lease.idle_at(), now_)) release(*tenancy, EndReason::idle);
}

Tenancy& Pool::Core::make_lease(Job& job, Container& container, unsigned slot, const AcquireRequested& wish) {
  auto& tenancy = *tenancies_.emplace(wish.lease, std::make_unique<Tenancy>()).first->second;
  tenancy.job = &job;
  tenancy.container = &container;
  Lease& lease = tenancy.lease;
  lease.id = wish.lease;
  lease.job = job.policy.job;
  lease.trajectory = wish.trajectory;
  lease.owner = wish.owner;
  lease.container = container.id;
  lease.slot = slot;
  lease.generation = container.slots[slot].generation;
  const std::optional<Duration> ttl = wish.ttl ? wish.ttl : job.policy.ttl;
  if (ttl) lease.ends_at = add(now_, *ttl);
  lease.idle = wish.idle.value_or(job.policy.idle);
  job.tenancies.emplace(affinity_key(wish.owner, wish.trajectory), &tenancy);
  count_owner(wish.owner, +1);
  container.slots[slot].tenancy = &tenancy;
  ++container.leased;
  change(container, slot, SlotState::acquired);
  recount(container);
  use(tenancy);
  return tenancy;
}

void Pool::Core::use(Tenancy& tenancy) {
  tenancy.lease.used_at = now_;
  watch(tenancy);
}

void Pool::Core::watch(Tenancy& tenancy) {
  const TimePoint end = tenancy.lease.expires_at();
  if (tenancy.alarm.at() > end) timers_.set(tenancy.alarm, end, &tenancy);
}

void Pool::Core::end_lease(Tenancy& tenancy, EndReason why, std::string message) {
  Container& container = *tenancy.container;
  container.slots[tenancy.lease.slot].tenancy = nullptr;
  --container.leased;
  if (container.leased == 0) watch_idle(container);
  timers_.clear(tenancy.alarm);
  tenancy.job->tenancies.erase(affinity_key(tenancy.lease.owner, tenancy.lease.trajectory));
  count_owner(tenancy.lease.owner, -1);
  const auto node = tenancies_.extract(tenancy.lease.id);
  persist(LeaseDropped{tenancy.lease.id});
  remember(tenancy.lease.id, why);
  emit(LeaseEnded{std::move(tenancy.lease), why, std::move(message)});
}

void Pool::Core::release(Tenancy& tenancy, EndReason why, std::string message) {
  Container& container = *tenancy.container;
  const unsigned slot = tenancy.lease.slot;
  end_lease(tenancy, why, std::move(message));
  stop_if_drained(container);
  if (container.state != ContainerState::stopping) clean(container, slot);
}

void Pool::Core::remember(std::string lease, EndReason why) {
  if (!ended_.insert_or_assign(lease, why).second) return;
  ended_order_.push_back(std::move(lease));
  if (ended_order_.size() <= options_.max_ended) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

void Pool::Core::count_owner(const std::string& owner, int by) {
  unsigned& count = owners_[owner];
  count += static_cast<unsigned>(by);
  if (count == 0) owners_.erase(owner);
}

}  // namespace berth::pool
