// SPDX-License-Identifier: Apache-2.0
// Jobs: their policy, their size, their failures.
#include <algorithm>
#include <utility>
#include <vector>

#include "agent/pool/core.hpp"
#include "agent/pool/rules.hpp"

namespace berth::pool {
namespace {

JobApplied in_range(JobApplied policy) {
  policy.max = std::max(policy.max, policy.min);
  policy.slots = std::clamp(policy.slots, 1U, kMostSlots);
  return policy;
}

}  // namespace

void Pool::Core::on(const JobApplied& event) {
  const JobApplied policy = in_range(event);
  const auto found = jobs_.find(policy.job);
  if (found == jobs_.end()) {
    make_job(policy);
    return;
  }
  Job& job = *found->second;
  const bool outdated = job.policy.version != policy.version || job.policy.slots != policy.slots;
  job.policy = policy;
  job.removing = false;
  touch(job);
  if (outdated) {
    job.ever_up = false;
    job.failures = 0;
    job.retry_at = TimePoint::min();
    job.last_failure.clear();
    for (auto& [number, container] : job.members) drain(*container, "the job was changed");
  }
  drain_surplus(job);
}

void Pool::Core::on(const JobRemoved& event) {
  if (const auto found = jobs_.find(event.job); found != jobs_.end()) remove(*found->second, event.force);
}

void Pool::Core::on(const Closing&) {
  closing_ = true;
  for (auto& [name, job] : jobs_)
    refuse_all(*job, {"agent_stopping", "the agent is stopping", "ask again when it is back"});
}

void Pool::Core::due(Job* job) {
  touch(*job);
}

Job& Pool::Core::make_job(const JobApplied& policy) {
  Job& job = *jobs_.emplace(policy.job, std::make_unique<Job>()).first->second;
  job.policy = policy;
  touch(job);
  return job;
}

void Pool::Core::remove(Job& job, bool force) {
  job.removing = true;
  touch(job);
  refuse_all(job, {"job_removed", "job " + job.policy.job + " is being removed", "apply it again"});
  for (auto& [number, container] : job.members) {
    for (Slot& slot : container->slots) {
      if (force && slot.tenancy != nullptr) end_lease(*slot.tenancy, EndReason::job_removed);
    }
    drain(*container, "the job is removed");
    stop_if_drained(*container);
  }
}

// After max was lowered: those without leases go first, then the newest.
void Pool::Core::drain_surplus(Job& job) {
  if (job.serving() <= job.policy.max) return;
  std::vector<Container*> order;
  for (auto& [number, container] : job.members) order.push_back(container);
  std::stable_sort(order.begin(), order.end(), [](const Container* a, const Container* b) {
    return std::pair(a->leased > 0, b->number) < std::pair(b->leased > 0, a->number);
  });
  for (Container* container : order) {
    if (job.serving() <= job.policy.max) return;
    drain(*container, "more containers than the job's max");
  }
}

void Pool::Core::start_failed(Job& job, const std::string& why) {
  back_off(job, why);
  if (hopeless(job)) refuse_all(job, no_slot(job), retry_after(job));
}

// Failures within one pause count once; a quiet time twice the longest pause forgives.
void Pool::Core::back_off(Job& job, const std::string& why) {
  job.last_failure = why;
  touch(job);
  if (now_ < job.retry_at) {
    job.retry_at = std::max(job.retry_at, now_ + options_.first_backoff);
    return;
  }
  const bool quiet = job.failures == 0 || now_ - job.failed_at > 2 * options_.most_backoff;
  job.failures = quiet ? 1 : job.failures + 1;
  job.failed_at = now_;
  job.retry_at = now_ + rules_.backoff(job.failures, options_.first_backoff, options_.most_backoff);
}

// Nothing of this version ever came up, nothing is on its way, and the last try has just failed.
bool Pool::Core::hopeless(const Job& job) const {
  return !job.ever_up && !job.last_failure.empty() && job.serving() == 0 && now_ < job.retry_at;
}

void Pool::Core::touch(Job& job) {
  if (std::exchange(job.dirty, true)) return;
  dirty_.push_back(&job);
}

void Pool::Core::settle_all() {
  for (std::size_t i = 0; i < dirty_.size(); ++i) settle(*dirty_[i]);
  dirty_.clear();
}

void Pool::Core::settle(Job& job) {
  dispatch(job);
  scale(job);
  job.missed = 0;
  job.dirty = false;
  if (!job.removing || !job.members.empty()) return;
  emit(JobGone{job.policy.job});
  timers_.clear(job.alarm);
  jobs_.erase(job.policy.job);
}

void Pool::Core::scale(Job& job) {
  if (job.removing || closing_) return;
  const unsigned wanted = rules_.to_start(job.census());
  if (wanted == 0) return timers_.clear(job.alarm);
  if (now_ < job.retry_at) return timers_.set(job.alarm, job.retry_at, &job);
  for (unsigned i = 0; i < wanted; ++i) start(job);
}

}  // namespace berth::pool
