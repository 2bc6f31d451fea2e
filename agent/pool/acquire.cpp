// SPDX-License-Identifier: Apache-2.0
// Requests for slots: affinity, the queue, the answers.
#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {

void Pool::Core::on(const AcquireRequested& event) {
  if (requests_.contains(event.request)) return;
  const auto found = jobs_.find(event.job);
  if (found == jobs_.end()) {
    return refuse(event.request, {"unknown_job", "there is no job " + event.job, "berth jobs lists them"});
  }
  Job& job = *found->second;
  AcquireRequested wish = event;
  if (wish.trajectory.empty()) wish.trajectory = wish.lease;
  const std::string key = affinity_key(wish.owner, wish.trajectory);
  if (const auto held = job.tenancies.find(key); held != job.tenancies.end()) {
    use(*held->second);
    return emit(Granted{wish.request, held->second->lease, true});
  }
  if (closing_) return refuse(wish.request, {"agent_stopping", "the agent is stopping", "ask again when it is back"});
  if (job.removing) {
    return refuse(wish.request, {"job_removed", "job " + wish.job + " is being removed", "apply it again"});
  }
  const auto held = owners_.find(wish.owner);
  if (wish.max_slots && !job.waiting_trajectories.contains(key) && held != owners_.end() &&
      held->second >= *wish.max_slots) {
    return refuse(wish.request, {"too_many_slots",
                                 "the token's " + std::to_string(*wish.max_slots) + " slots are in use or waited for",
                                 "release a slot first"});
  }
  if (hopeless(job)) return refuse(wish.request, no_slot(job), retry_after(job));
  if (job.queue.empty() && !job.open.empty()) return grant(job, wish);
  if (rules_.is_over(wish.deadline, now_)) {
    ++job.missed;
    touch(job);
    return refuse(wish.request, no_slot(job), std::chrono::seconds(1));
  }
  enqueue(job, wish);
}

void Pool::Core::on(const AcquireCancelled& event) {
  if (const auto found = requests_.find(event.request); found != requests_.end()) forget(*found->second);
}

void Pool::Core::due(Waiter* waiter) {
  if (!rules_.is_over(waiter->wish.deadline, now_)) return;
  const Job& job = *waiter->job;
  const RequestId request = waiter->wish.request;
  refuse(request, no_slot(job), retry_after(job));
  forget(*waiter);
}

void Pool::Core::enqueue(Job& job, const AcquireRequested& wish) {
  if (!rules_.may_wait(requests_.size(), options_.max_waiters)) {
    return refuse(wish.request,
                  {"too_many_waiters", std::to_string(requests_.size()) + " requests wait already", "ask again later"},
                  std::chrono::seconds(1));
  }
  const std::uint64_t turn = next_turn_++;
  Waiter& waiter = job.queue.try_emplace(turn).first->second;
  waiter.wish = wish;
  waiter.job = &job;
  waiter.turn = turn;
  requests_.emplace(wish.request, &waiter);
  auto& turns = job.waiting_trajectories[affinity_key(wish.owner, wish.trajectory)];
  if (turns.empty()) count_owner(wish.owner, +1);
  turns.insert(turn);
  timers_.set(waiter.alarm, wish.deadline, &waiter);
  touch(job);
}

void Pool::Core::dispatch(Job& job) {
  while (!job.queue.empty() && !job.open.empty()) {
    Waiter& first = job.queue.begin()->second;
    const AcquireRequested wish = first.wish;
    forget(first);
    grant(job, wish);
    share(job, affinity_key(wish.owner, wish.trajectory));
  }
}

void Pool::Core::grant(Job& job, const AcquireRequested& wish) {
  if (tenancies_.contains(wish.lease)) {
    return refuse(wish.request, {"bad_request", "the lease id is in use", "draw another one"});
  }
  Container& container = *job.open.begin()->second;
  const unsigned slot = container.free.back();
  container.free.pop_back();
  const Tenancy& tenancy = make_lease(job, container, slot, wish);
  persist(LeaseSaved{tenancy.lease});
  emit(Granted{wish.request, tenancy.lease, false});
}

// The other requests of a trajectory that has just got its lease.
void Pool::Core::share(Job& job, const std::string& key) {
  const auto held = job.tenancies.find(key);
  if (held == job.tenancies.end()) return;
  for (auto turns = job.waiting_trajectories.find(key); turns != job.waiting_trajectories.end();
       turns = job.waiting_trajectories.find(key)) {
    Waiter& waiter = job.queue.at(*turns->second.begin());
    emit(Granted{waiter.wish.request, held->second->lease, true});
    forget(waiter);
  }
}

// The waiter is gone afterwards.
void Pool::Core::forget(Waiter& waiter) {
  Job& job = *waiter.job;
  timers_.clear(waiter.alarm);
  requests_.erase(waiter.wish.request);
  const auto turns = job.waiting_trajectories.find(affinity_key(waiter.wish.owner, waiter.wish.trajectory));
  turns->second.erase(waiter.turn);
  if (turns->second.empty()) {
    job.waiting_trajectories.erase(turns);
    count_owner(waiter.wish.owner, -1);
  }
  job.queue.erase(waiter.turn);
  touch(job);
}

void Pool::Core::refuse(RequestId request, Error error, Duration retry_after) {
  emit(Refused{request, std::move(error), retry_after});
}

void Pool::Core::refuse_all(Job& job, const Error& error, Duration retry_after) {
  while (!job.queue.empty()) {
    Waiter& waiter = job.queue.begin()->second;
    refuse(waiter.wish.request, error, retry_after);
    forget(waiter);
  }
}

Error Pool::Core::no_slot(const Job& job) const {
  const std::string& name = job.policy.job;
  if (!job.last_failure.empty() && job.serving() == 0) {
    return {"container_failed", "no container of job " + name + " comes up: " + job.last_failure,
            "it is tried again; berth events shows every attempt"};
  }
  const std::string hint = job.sum.starting + job.sum.releasing > 0
                               ? "slots are on their way: wait longer"
                               : "release slots, raise containers.max, or wait longer";
  return {"no_slot", "no slot of job " + name + " was free in time", hint};
}

Duration Pool::Core::retry_after(const Job& job) const {
  if (job.sum.coming > 0) return std::chrono::seconds(1);
  if (job.retry_at > now_) return job.retry_at - now_ + std::chrono::seconds(1);
  return std::chrono::seconds(5);
}

}  // namespace berth::pool
