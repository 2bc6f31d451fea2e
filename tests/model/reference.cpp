// SPDX-License-Identifier: Apache-2.0
// What events and effects mean.
#include "tests/model/reference.hpp"

#include <algorithm>

namespace berth::pool::model {

void Reference::expect(bool holds, int invariant, const std::string& what) {
  if (!holds && !violation_) violation_ = Violation{invariant, what};
}

std::pair<std::string, std::string> Reference::key(const AcquireRequested& wish) {
  return {wish.owner, wish.trajectory.empty() ? wish.lease : wish.trajectory};
}

Reference::Container* Reference::container(const std::string& id) {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : &found->second;
}

Reference::Slot* Reference::slot(const std::string& id, unsigned index) {
  Container* found = container(id);
  return found != nullptr && index < found->slots.size() ? &found->slots[index] : nullptr;
}

bool Reference::serves(const std::string& id) {
  const Container* found = container(id);
  return found != nullptr && found->state == ContainerState::up && !found->draining;
}

void Reference::before(const Event& event, TimePoint now) {
  now_ = std::max(now_, now);
  overdue_.clear(), released_.clear(), forced_.clear(), lost_in_.clear();
  slot_lost_.clear(), dropped_.clear(), granted_.clear(), strangers_.clear();
  arrival_ = std::holds_alternative<AcquireRequested>(event);
  for (const auto& [id, lease] : leases_) {
    if (lease.expires_at() <= now_) overdue_.insert(id);
  }
  std::visit([this](const auto& what) { on(what); }, event);
}

void Reference::effect(const Effect& effect) {
  std::visit([this](const auto& what) { see(what); }, effect);
}

void Reference::on(const JobApplied& event) {
  Job& job = jobs_[event.job];
  if (job.policy.version != event.version || job.policy.slots != event.slots)
    job.failed_at.reset(), job.paused_at.reset();
  job.policy = event;
  job.removing = false;
}

void Reference::on(const JobRemoved& event) {
  if (const auto found = jobs_.find(event.job); found != jobs_.end()) found->second.removing = true;
  if (event.force) forced_.insert(event.job);
}

void Reference::on(const Closing&) {
  closing_ = true;
}

void Reference::on(const AcquireRequested& event) {
  waiters_.try_emplace(event.request, Waiter{event, next_turn_++});
}

void Reference::on(const AcquireCancelled& event) {
  waiters_.erase(event.request);
}

void Reference::on(const RenewRequested& event) {
  const auto found = leases_.find(event.lease);
  if (found == leases_.end()) return;
  if (event.ttl) found->second.ends_at = now_ + *event.ttl;
  if (event.idle) found->second.idle = *event.idle;
  found->second.used_at = now_;
}

void Reference::on(const ReleaseRequested& event) {
  released_.insert(event.lease);
}

void Reference::on(const LeaseUsed& event) {
  if (const auto found = leases_.find(event.lease); found != leases_.end()) found->second.used_at = now_;
}

void Reference::on(const CallStarted& event) {
  on(LeaseUsed{event.lease});
  if (const auto found = leases_.find(event.lease); found != leases_.end()) ++found->second.calls;
}

void Reference::on(const CallEnded& event) {
  on(LeaseUsed{event.lease});
  const auto found = leases_.find(event.lease);
  if (found != leases_.end() && found->second.calls > 0) --found->second.calls;
}

void Reference::on(const ContainerStarted& event) {
  Container* known = container(event.container);
  if (known == nullptr) strangers_.insert(event.container);
  if (known == nullptr || known->state == ContainerState::stopping || event.slots == 0) return;
  const bool fresh = known->state == ContainerState::starting;
  const bool same = !known->boot.empty() && known->boot == event.boot && known->slots.size() == event.slots;
  if (!fresh && !same) {
    rebooted(*known, event.container, event.boot, event.slots);
    for (unsigned i = 0; i < event.floors.size(); ++i) known->slots[i].floor = event.floors[i];
    return;
  }
  if (fresh) known->slots = std::vector<Slot>(event.slots);
  known->boot = event.boot;
  known->state = ContainerState::up;
  known->adopting = false;
  for (unsigned i = 0; i < event.floors.size(); ++i) {
    known->slots[i].floor = event.floors[i];
    if (event.floors[i] > known->slots[i].shown) known->slots[i].clean = false;
    for (const auto& [id, lease] : leases_) {
      const bool here = lease.container == event.container && lease.slot == i;
      if (here && lease.generation < event.floors[i]) slot_lost_.insert(id);
    }
  }
  for (unsigned i = 0; fresh && i < event.slots; ++i)
    known->slots[i].clean = i >= event.floors.size() || event.floors[i] <= 1;
}

void Reference::on(const ContainerSuspect& event) {
  Container* known = container(event.container);
  if (known != nullptr && known->state == ContainerState::up) known->state = ContainerState::suspect;
}

void Reference::on(const ContainerHealthy& event) {
  Container* known = container(event.container);
  if (known == nullptr) return;
  if (!event.boot.empty() && event.boot != known->boot) return on(ContainerRebooted{event.container, event.boot});
  if (known->state != ContainerState::suspect || (known->adopting && event.boot.empty())) return;
  known->state = ContainerState::up;
  known->adopting = false;
}

void Reference::on(const ContainerRebooted& event) {
  Container* known = container(event.container);
  if (known == nullptr || known->boot == event.boot) return;
  if (known->state == ContainerState::up || known->state == ContainerState::suspect) {
    rebooted(*known, event.container, event.boot, known->slots.size());
  }
}

void Reference::rebooted(Container& known, const std::string& id, const std::string& boot, std::size_t slots) {
  lost_in_.insert(id);
  known.boot = boot;
  known.state = ContainerState::up;
  known.adopting = false;
  known.slots.resize(slots);
  for (Slot& slot : known.slots) slot.clean = slot.awaiting = false, slot.floor = 0;
}

void Reference::ends(const std::string& id, bool is_gone) {
  lost_in_.insert(id);
  if (Container* known = container(id)) known->ending = is_gone;
}

void Reference::on(const SlotReset& event) {
  Slot* known = slot(event.container, event.slot);
  if (known == nullptr || !known->awaiting || known->awaited != event.generation) return;
  known->awaiting = false;
  known->clean = event.ok;
}

void Reference::see(const Granted& effect) {
  const auto found = waiters_.find(effect.request);
  if (found == waiters_.end()) return expect(false, 5, "a request that does not wait was granted");
  const AcquireRequested wish = found->second.wish;
  const std::uint64_t turn = found->second.turn;
  waiters_.erase(found);
  const Lease& lease = effect.lease;
  expect(lease.job == wish.job && lease.owner == wish.owner, 1, "a lease of another job or owner was granted");
  if (effect.existing) {
    const auto held = leases_.find(lease.id);
    if (held == leases_.end()) return expect(false, 1, "an ended lease was granted again");
    expect(held->second.trajectory == key(wish).second && held->second.owner == lease.owner, 1,
           "a trajectory was given another one's lease");
    expect(held->second.slot == lease.slot && held->second.generation == lease.generation, 1, "a lease moved");
    held->second.used_at = now_;
    return;
  }
  expect(!closing_ && !jobs_[wish.job].removing, 7, "a new lease while closing or removing");
  for (const auto& [request, other] : waiters_) {
    expect(other.wish.job != wish.job || other.turn > turn || other.wish.deadline <= now_ ||
               granted_.contains({wish.job, key(other.wish)}),
           5, "a later request was served first");
  }
  granted_.insert({wish.job, key(wish)});
  expect(lease.id == wish.lease && !leases_.contains(lease.id), 1, "a lease id was used twice");
  unsigned held = 1;
  for (const auto& [id, other] : leases_) {
    expect(other.container != lease.container || other.slot != lease.slot, 1, "a slot with two leases");
    expect(other.job != lease.job || key(wish) != std::pair(other.owner, other.trajectory), 1,
           "a trajectory with two leases");
    held += other.owner == lease.owner ? 1 : 0;
  }
  expect(!wish.max_slots || held <= *wish.max_slots, 6, "an owner got more slots than allowed");
  Slot* known = slot(lease.container, lease.slot);
  expect(known != nullptr && known->clean, 2, "a slot was leased without a verified reset");
  expect(serves(lease.container), 6, "a container was used that is not to be used");
  if (known == nullptr) return;
  expect(lease.generation > known->lent, 1, "a generation did not grow");
  known->lent = lease.generation;
  known->clean = false;
  leases_.emplace(lease.id, lease);
}

void Reference::see(const Refused& effect) {
  const auto found = waiters_.find(effect.request);
  if (found == waiters_.end()) return expect(false, 5, "a request that does not wait was refused");
  const AcquireRequested wish = found->second.wish;
  const std::size_t waiting = waiters_.size() - (arrival_ ? 1 : 0);
  waiters_.erase(found);
  const std::string& code = effect.error.code;
  const bool over = wish.deadline <= now_;
  const auto job = jobs_.find(wish.job);
  const bool removing = job != jobs_.end() && job->second.removing;
  expect(code != "no_slot" || over, 5, "no_slot before the deadline");
  expect(code != "too_many_waiters" || waiting >= options_.max_waiters, 5, "too_many_waiters below the bound");
  expect(code != "unknown_job" || job == jobs_.end(), 5, "unknown_job of a known job");
  expect(code != "job_removed" || removing, 5, "job_removed of a job that stays");
  expect(code != "agent_stopping" || closing_, 5, "agent_stopping of an agent that stays");
  expect(code != "too_many_slots" || wish.max_slots, 5, "too_many_slots without a limit");
  expect(code != "container_failed" || over || (job != jobs_.end() && job->second.paused_at), 5, "no container failed");
  expect(code != "bad_request", 5, "a good request was called bad");
}

void Reference::see(const LeaseEnded& effect) {
  const std::string& id = effect.lease.id;
  const auto found = leases_.find(id);
  if (found == leases_.end()) return expect(false, 7, "a lease ended twice");
  const Lease lease = found->second;
  leases_.erase(found);
  switch (effect.why) {
    case EndReason::released: return expect(released_.contains(id), 7, "a lease was released that nobody released");
    case EndReason::idle: return expect(overdue_.contains(id), 1, "a lease idled out early");
    case EndReason::ttl:
      return expect(overdue_.contains(id) && lease.ends_at <= now_, 1, "a lease ended before its time");
    case EndReason::container_lost:
      return expect(lost_in_.contains(lease.container), 6, "a lease was taken although its container lives");
    case EndReason::slot_lost: return expect(slot_lost_.contains(id), 6, "a lease was taken although its slot lives");
    case EndReason::job_removed:
      return expect(forced_.contains(lease.job), 6, "a lease was taken although its job stays");
  }
}

void Reference::see(const Persist& effect) {
  if (const auto* dropped = std::get_if<LeaseDropped>(&effect.change)) dropped_.insert(dropped->lease);
}

void Reference::see(const ResetSlot& effect) {
  Slot* known = slot(effect.container, effect.slot);
  if (known == nullptr) return expect(false, 2, "a slot that does not exist is reset");
  for (const auto& [id, lease] : leases_) {
    expect(lease.container != effect.container || lease.slot != effect.slot, 2, "a leased slot is reset");
  }
  expect(effect.generation > known->lent && effect.generation > known->awaited, 1, "a generation did not grow");
  expect(effect.generation > known->floor, 1, "a reset that slotd would call stale");
  known->clean = false;
  known->awaiting = true;
  known->awaited = effect.generation;
}

void Reference::see(const StartContainer& effect) {
  expect(names_.insert(effect.container).second, 6, "a container id was used twice");
  const Job& job = jobs_[effect.job];
  unsigned total = 0;
  for (const auto& [id, other] : containers_) total += other.job == effect.job && !other.ending ? 1 : 0;
  expect(total < job.policy.max, 6, "more containers than max");
  expect(!closing_ && !job.removing, 6, "a container was started while closing or removing");
  expect(!job.failed_at || now_ >= *job.failed_at + options_.first_backoff, 6, "no pause after a failed start");
  Container fresh;
  fresh.job = effect.job;
  fresh.slots.resize(job.policy.slots);
  containers_.emplace(effect.container, fresh);
}

void Reference::see(const StopContainer& effect) {
  Container* known = container(effect.container);
  if (known == nullptr) return expect(strangers_.contains(effect.container), 6, "a container that is gone was stopped");
  for (const auto& [id, lease] : leases_) {
    expect(lease.container != effect.container, 6, "a container with a leased slot was stopped");
  }
  known->state = ContainerState::stopping;
}

void Reference::see(const SlotChanged& effect) {
  Slot* known = slot(effect.container, effect.slot);
  if (known != nullptr && effect.to != SlotState::available && effect.to != SlotState::acquired) known->clean = false;
  if (known != nullptr && effect.to == SlotState::error) known->awaiting = false;
}

void Reference::see(const ContainerChanged& effect) {
  Container* known = container(effect.container);
  if (known == nullptr) return;
  if (effect.draining && !known->draining && effect.why == "idle") {
    const Job& job = jobs_[known->job];
    unsigned serving = 0;
    for (const auto& [id, other] : containers_) {
      serving += other.job == known->job && !other.draining && other.state != ContainerState::stopping ? 1 : 0;
    }
    expect(serving > job.policy.min, 6, "shrunk below min");
    for (const auto& [id, lease] : leases_) expect(lease.container != effect.container, 6, "a leased container shrunk");
  }
  known->draining = effect.draining;
  const bool starting = effect.from == ContainerState::starting;
  if (effect.from == effect.to || effect.from == ContainerState::stopping) return;
  if (starting && effect.to == ContainerState::gone) jobs_[known->job].failed_at = now_;
  if (effect.to == ContainerState::gone || (starting && effect.to == ContainerState::stopping)) {
    jobs_[known->job].paused_at = now_;
  }
}

void Reference::see(const JobGone& effect) {
  expect(jobs_.contains(effect.job) && jobs_[effect.job].removing, 6, "a job is gone that was not removed");
  jobs_.erase(effect.job);
  for (const auto& [id, known] : containers_) {
    expect(known.job != effect.job || known.ending, 8, "a job is gone before its containers");
  }
}

}  // namespace berth::pool::model
