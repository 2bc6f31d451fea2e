// SPDX-License-Identifier: Apache-2.0
// A pool with a hand-driven clock, and short words for what tests do to it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/pool/pool.hpp"

namespace berth::pool::model {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

inline JobApplied job_of(unsigned min, unsigned max, unsigned slots) {
  JobApplied policy;
  policy.job = "job";
  policy.min = min;
  policy.max = max;
  policy.slots = slots;
  return policy;
}

class PoolTest : public testing::Test {
 protected:
  const std::vector<Effect>& send(const Event& event) { return effects_ = pool_.step(event, now_); }
  void pass(Duration time) {
    now_ += time;
    send(Tick{});
  }

  // Effects of the last step.
  template <typename E>
  std::vector<E> all() const {
    std::vector<E> found;
    for (const Effect& effect : effects_) {
      if (const auto* one = std::get_if<E>(&effect)) found.push_back(*one);
    }
    return found;
  }
  template <typename E>
  E only() const {
    const std::vector<E> found = all<E>();
    EXPECT_THAT(found, SizeIs(1));
    return found.empty() ? E{} : found.front();
  }

  // Every container that is asked for in the last step comes up with `slots` slots.
  void start_all(unsigned slots) {
    for (const StartContainer& start : all<StartContainer>()) up(start.container, slots);
  }
  void up(const std::string& container, unsigned slots) { send(ContainerStarted{container, slots, "boot", {}}); }
  void job_with_slots(unsigned slots) {
    send(job_of(1, 1, slots));
    start_all(slots);
  }

  AcquireRequested wish(const std::string& trajectory, Duration wait = {}) {
    AcquireRequested event;
    event.request = ++requests_;
    event.lease = "lease-" + std::to_string(requests_);
    event.job = "job";
    event.trajectory = trajectory;
    event.deadline = now_ + wait;
    return event;
  }
  RequestId acquire(const std::string& trajectory, Duration wait = {}) {
    const AcquireRequested event = wish(trajectory, wait);
    send(event);
    return event.request;
  }
  // Of a request that is granted at once.
  Lease take(const std::string& trajectory) {
    acquire(trajectory);
    return only<Granted>().lease;
  }
  // Answers the resets of the last step.
  void finish_resets(bool ok = true) {
    for (const ResetSlot& reset : all<ResetSlot>()) {
      send(SlotReset{reset.container, reset.slot, reset.generation, ok, ok ? "" : "a process would not die"});
    }
  }
  void release_and_reset(const Lease& lease) {
    send(ReleaseRequested{lease.id});
    finish_resets();
  }

  [[nodiscard]] SlotState state_of(const std::string& container, unsigned slot) const {
    for (const SlotView& view : pool_.slots()) {
      if (view.container == container && view.slot == slot) return view.state;
    }
    return SlotState::lost;
  }

  Pool pool_{Options{}};
  TimePoint now_{hours(1)};
  std::vector<Effect> effects_;
  RequestId requests_ = 0;
};

}  // namespace berth::pool::model
