// SPDX-License-Identifier: Apache-2.0
// What must hold between two steps.
#include <algorithm>

#include "tests/model/reference.hpp"

namespace berth::pool::model {

void Reference::after(const Pool& pool) {
  std::erase_if(containers_, [](const auto& entry) { return entry.second.ending; });
  check_leases(pool);
  check_waiters(pool);
  check_containers(pool);
  for (const auto& [name, job] : jobs_) check_size(name, job);
}

void Reference::check_leases(const Pool& pool) {
  const std::vector<Lease> seen = pool.leases();
  expect(seen.size() == leases_.size(), 1, "leases were gained or lost in silence");
  for (const Lease& lease : seen) {
    const auto known = leases_.find(lease.id);
    if (known == leases_.end()) return expect(false, 1, "a lease that nobody was granted");
    expect(known->second.container == lease.container && known->second.slot == lease.slot, 1, "a lease moved");
    expect(known->second.generation == lease.generation, 1, "a generation changed under a lease");
    expect(known->second.expires_at() == lease.expires_at(), 7, "a lease ends at another time than promised");
  }
  for (const auto& [id, lease] : leases_) {
    expect(lease.expires_at() > now_, 5, "a lease outlived its end");
    expect(pool.next_tick() <= lease.expires_at(), 5, "nothing will wake the pool at a lease's end");
  }
}

void Reference::check_waiters(const Pool& pool) {
  expect(pool.waiting() == waiters_.size(), 5, "a request is neither waiting nor answered");
  expect(waiters_.size() <= options_.max_waiters, 5, "more waiters than the bound");
  for (const auto& [request, waiter] : waiters_) {
    expect(waiter.wish.deadline > now_, 5, "a deadline passed without an answer");
    expect(pool.next_tick() <= waiter.wish.deadline, 5, "nothing will wake the pool at a deadline");
    for (const auto& [id, known] : containers_) {
      if (known.job != waiter.wish.job || !serves(id)) continue;
      const bool free =
          std::any_of(known.slots.begin(), known.slots.end(), [](const Slot& slot) { return slot.clean; });
      expect(!free, 5, "a caller waits beside a free slot");
    }
  }
}

void Reference::check_containers(const Pool& pool) {
  const std::vector<ContainerView> seen = pool.containers();
  expect(seen.size() == containers_.size(), 8, "containers were gained or lost in silence");
  for (const ContainerView& view : seen) {
    const Container* known = container(view.container);
    if (known == nullptr) return expect(false, 8, "a container that nobody asked for");
    expect(known->state == view.state, 6, "a container is shown " + std::string(to_string(view.state)));
  }
  for (const SlotView& view : pool.slots()) {
    Slot* known = slot(view.container, view.slot);
    if (known == nullptr) return expect(false, 8, "a slot that does not exist");
    expect(view.generation >= known->shown, 1, "a generation went back");
    known->shown = view.generation;
    expect(view.state != SlotState::available || known->clean, 2, "a slot is available without a verified reset");
    expect((view.state == SlotState::acquired || view.state == SlotState::executing) == !view.lease.empty(), 1,
           "a slot's state and its lease disagree");
  }
}

// Not after a failure: how long the pool pauses is its own business.
void Reference::check_size(const std::string& name, const Job& job) {
  if (closing_ || job.removing || (job.paused_at && now_ < *job.paused_at + 2 * options_.most_backoff)) return;
  unsigned total = 0, serving = 0;
  std::size_t coming = 0;
  for (const auto& [id, known] : containers_) {
    if (known.job != name) continue;
    ++total;
    if (known.draining || known.state == ContainerState::stopping) continue;
    ++serving;
    const bool starting = known.state == ContainerState::starting;
    for (const Slot& slot : known.slots) coming += starting || slot.awaiting || known.adopting ? 1 : 0;
  }
  if (total >= job.policy.max) return;
  expect(serving >= job.policy.min, 6, "fewer containers than min");
  std::set<std::pair<std::string, std::string>> wanting;
  for (const auto& [request, waiter] : waiters_) {
    if (waiter.wish.job == name) wanting.insert(key(waiter.wish));
  }
  expect(wanting.size() <= coming, 6, "callers wait and nothing grows");
}

void Reference::killed(const Restored& restored, TimePoint now) {
  now_ = std::max(now_, now);
  std::erase_if(containers_, [](const auto& entry) { return entry.second.ending; });
  std::map<std::string, Lease> stored;
  for (const Lease& lease : restored.leases) stored.emplace(lease.id, lease);
  for (const auto& [id, lease] : leases_) {
    expect(stored.contains(id) || dropped_.contains(id), 4, "a lease was answered before it was stored");
  }
  waiters_.clear();
  leases_.clear();
  jobs_.clear();
  closing_ = false;
}

void Reference::on(const Restored& event) {
  for (const JobApplied& policy : event.jobs) on(policy);
  std::map<std::string, Container> before;
  before.swap(containers_);
  for (const RestoredContainer& saved : event.containers) {
    Container& now = containers_[saved.container];
    if (before.contains(saved.container)) now = before[saved.container];
    now.job = saved.job;
    now.boot = saved.boot;
    now.state = ContainerState::suspect;
    now.draining = now.ending = false;
    now.adopting = true;
    now.slots.resize(saved.generations.size());
    for (Slot& slot : now.slots) slot.clean = slot.awaiting = false, slot.floor = 0;
    if (!jobs_.contains(saved.job)) jobs_[saved.job].removing = true;
  }
  for (const auto& [id, known] : before) expect(containers_.contains(id), 4, "a container was orphaned");
  for (Lease lease : event.leases) {
    Slot* known = slot(lease.container, lease.slot);
    expect(known != nullptr, 4, "a stored lease without its slot");
    if (known == nullptr || lease.ends_at <= now_) continue;
    lease.used_at = now_;
    lease.calls = 0;
    known->lent = std::max(known->lent, lease.generation);
    leases_.emplace(lease.id, lease);
  }
}

void Reference::finished(const Pool& pool) {
  expect(pool.leases().empty(), 8, "a lease is left over");
  expect(pool.containers().empty(), 8, "a container is left over");
  expect(pool.jobs().empty(), 8, "a job is left over");
  expect(pool.waiting() == 0, 8, "a request is left over");
  expect(pool.next_tick() == TimePoint::max(), 8, "an alarm is left over");
}

}  // namespace berth::pool::model
