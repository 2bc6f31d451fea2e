// SPDX-License-Identifier: Apache-2.0
// What the pool must have done, told only from the events that went in, the effects that came out and the public views:
// the invariants of design section 6. Knows nothing of the pool's code.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/pool/pool.hpp"

namespace berth::pool::model {

struct Violation {
  int invariant = 0;  // 1 .. 7 as in the design; 8: leaks
  std::string what;
};

class Reference {
 public:
  explicit Reference(const Options& options) : options_(options) {}

  // One step of the pool, in this order. `after` is left out when the agent dies in the middle of the effects.
  void before(const Event& event, TimePoint now);
  void effect(const Effect& effect);
  void after(const Pool& pool);
  // The agent was killed; the next event is `restored`, made from what had been persisted.
  void killed(const Restored& restored, TimePoint now);
  void finished(const Pool& pool);

  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }
  [[nodiscard]] const std::map<std::string, Lease>& leases() const { return leases_; }

 private:
  struct Slot {
    bool clean = false;
    bool awaiting = false;
    Generation awaited = 0, lent = 0, shown = 0;
    Generation floor = 0;  // as slotd reported it
  };
  struct Container {
    std::string job, boot;
    ContainerState state = ContainerState::starting;
    bool draining = false, adopting = false, ending = false;
    std::vector<Slot> slots;
  };
  struct Job {
    JobApplied policy;
    bool removing = false;
    std::optional<TimePoint> failed_at;  // a start failed: the pool must pause
    std::optional<TimePoint> paused_at;  // the pool may pause
  };
  struct Waiter {
    AcquireRequested wish;
    std::uint64_t turn = 0;
  };

  void on(const JobApplied& event);
  void on(const JobRemoved& event);
  void on(const Closing& event);
  void on(const AcquireRequested& event);
  void on(const AcquireCancelled& event);
  void on(const RenewRequested& event);
  void on(const ReleaseRequested& event);
  void on(const LeaseUsed& event);
  void on(const CallStarted& event);
  void on(const CallEnded& event);
  void on(const ContainerStarted& event);
  void on(const ContainerFailed& event) { ends(event.container, true); }
  void on(const ContainerLost& event) { ends(event.container, true); }
  void on(const ContainerStopped& event) { ends(event.container, true); }
  void on(const ContainerSuspect& event);
  void on(const ContainerHealthy& event);
  void on(const ContainerRebooted& event);
  void on(const SlotReset& event);
  void on(const Restored& event);
  void on(const DrainRequested&) {}
  void on(const Tick&) {}

  void see(const Granted& effect);
  void see(const Refused& effect);
  void see(const LeaseEnded& effect);
  void see(const ResetSlot& effect);
  void see(const StartContainer& effect);
  void see(const StopContainer& effect);
  void see(const SlotChanged& effect);
  void see(const ContainerChanged& effect);
  void see(const JobGone& effect);
  void see(const Persist& effect);

  void check_leases(const Pool& pool);
  void check_waiters(const Pool& pool);
  void check_containers(const Pool& pool);
  void check_size(const std::string& name, const Job& job);

  void ends(const std::string& container, bool gone);
  void rebooted(Container& container, const std::string& id, const std::string& boot, std::size_t slots);
  [[nodiscard]] Slot* slot(const std::string& container, unsigned index);
  [[nodiscard]] Container* container(const std::string& id);
  [[nodiscard]] bool serves(const std::string& container);
  [[nodiscard]] static std::pair<std::string, std::string> key(const AcquireRequested& wish);
  void expect(bool holds, int invariant, const std::string& what);

  Options options_;
  TimePoint now_{};
  bool closing_ = false;
  std::optional<Violation> violation_;
  std::map<std::string, Job> jobs_;
  std::map<std::string, Container> containers_;
  std::set<std::string> names_;  // every container id ever asked for
  std::map<std::string, Lease> leases_;
  std::map<RequestId, Waiter> waiters_;
  std::uint64_t next_turn_ = 0;
  // Of the step in hand:
  std::set<std::string> overdue_, released_, forced_, lost_in_;                    // leases, leases, jobs, containers
  std::set<std::string> slot_lost_, dropped_;                                      // leases
  std::set<std::pair<std::string, std::pair<std::string, std::string>>> granted_;  // job, key
  std::set<std::string> strangers_;                                                // containers nobody asked for
  bool arrival_ = false;
};

}  // namespace berth::pool::model
