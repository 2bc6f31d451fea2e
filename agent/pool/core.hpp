// SPDX-License-Identifier: Apache-2.0
// The state and its transitions. Internal to agent/pool. Every public event is one `on` overload; each file of this
// folder holds the bodies of one group below.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/pool/pool.hpp"
#include "agent/pool/state.hpp"

namespace berth::pool {

class Pool::Core {
 public:
  Core(Options options, Rules rules) : options_(std::move(options)), rules_(rules) {}

  std::vector<Effect> step(const Event& event, TimePoint now);

  // views.cpp
  [[nodiscard]] TimePoint next_tick() const { return timers_.first(); }
  [[nodiscard]] const Lease* find_lease(std::string_view id) const;
  [[nodiscard]] const Lease* find_lease(std::string_view job, std::string_view owner,
                                        std::string_view trajectory) const;
  [[nodiscard]] const Lease* find_lease_of_slot(std::string_view container, unsigned slot) const;
  [[nodiscard]] std::optional<EndReason> ended(std::string_view lease) const;
  [[nodiscard]] std::vector<JobView> jobs() const;
  [[nodiscard]] std::optional<JobView> job(std::string_view name) const;
  [[nodiscard]] std::vector<ContainerView> containers(std::string_view job) const;
  [[nodiscard]] std::vector<SlotView> slots(std::string_view job) const;
  [[nodiscard]] std::vector<Lease> leases(std::string_view job) const;
  [[nodiscard]] std::size_t waiting() const { return requests_.size(); }

 private:
  // acquire.cpp
  void on(const AcquireRequested& event);
  void on(const AcquireCancelled& event);
  void due(Waiter* waiter);
  void enqueue(Job& job, const AcquireRequested& wish);
  void dispatch(Job& job);
  void grant(Job& job, const AcquireRequested& wish);
  void share(Job& job, const std::string& key);
  void forget(Waiter& waiter);
  void refuse(RequestId request, Error error, Duration retry_after = {});
  void refuse_all(Job& job, const Error& error, Duration retry_after = {});
  [[nodiscard]] Error no_slot(const Job& job) const;
  [[nodiscard]] Duration retry_after(const Job& job) const;

  // lease.cpp
  void on(const RenewRequested& event);
  void on(const ReleaseRequested& event);
  void on(const LeaseUsed& event);
  void on(const CallStarted& event);
  void on(const CallEnded& event);
  void due(Tenancy* tenancy);
  Tenancy& make_lease(Job& job, Container& container, unsigned slot, const AcquireRequested& wish);
  void use(Tenancy& tenancy);
  void watch(Tenancy& tenancy);
  // Afterwards the slot is still in state acquired: the caller says what becomes of it.
  void end_lease(Tenancy& tenancy, EndReason why, std::string message = {});
  void release(Tenancy& tenancy, EndReason why, std::string message = {});
  void remember(std::string lease, EndReason why);
  void count_owner(const std::string& owner, int by);

  // slot.cpp
  void on(const SlotReset& event);
  void due(SlotAt at);
  void change(Container& container, unsigned index, SlotState to, std::string why = {});
  void clean(Container& container, unsigned index, std::string why = {});
  void ask_reset(Container& container, unsigned index);
  void ask_resets(Container& container);
  void reset_failed(Container& container, unsigned index, const std::string& why);

  // container.cpp
  void on(const ContainerStarted& event);
  void on(const ContainerFailed& event) { gone(event.container, event.why); }
  void on(const ContainerLost& event) { gone(event.container, event.why); }
  void on(const ContainerStopped& event);
  void on(const ContainerSuspect& event);
  void on(const ContainerHealthy& event);
  void on(const ContainerRebooted& event);
  void on(const DrainRequested& event);
  void due(Container* container);
  Container& make_container(Job& job, std::string id, unsigned slots);
  void start(Job& job);
  void first_start(Container& container, const ContainerStarted& event);
  void adopt(Container& container, const ContainerStarted& event);
  void reboot(Container& container, const std::string& boot, std::size_t slots,
              const std::vector<Generation>& floors = {});
  void healthy(Container& container);
  void resize(Container& container, std::size_t slots);
  void change(Container& container, ContainerState to, std::string why = {});
  void save(const Container& container);
  // After every change of a container: the job's numbers follow, and the job is settled at the end of the step.
  void recount(Container& container);
  [[nodiscard]] Container* find(std::string_view id);

  // takedown.cpp
  void give_up_start(Container& container, const std::string& why);
  void drain(Container& container, const std::string& why);
  void stop(Container& container, const std::string& why);
  void stop_if_drained(Container& container);
  void gone(std::string_view id, const std::string& why);
  void lose_slots(Container& container, EndReason reason, const std::string& why);
  void watch_idle(Container& container);
  void shrink(Container& container);

  // job.cpp
  void on(const JobApplied& event);
  void on(const JobRemoved& event);
  void on(const Closing& event);
  void on(const Tick&) {}
  void due(Job* job);
  Job& make_job(const JobApplied& policy);
  void remove(Job& job, bool force);

  void drain_surplus(Job& job);
  void start_failed(Job& job, const std::string& why);
  void back_off(Job& job, const std::string& why);
  [[nodiscard]] bool hopeless(const Job& job) const;
  void settle_all();
  void settle(Job& job);
  void scale(Job& job);
  void touch(Job& job);

  // restore.cpp
  void on(const Restored& event);
  void restore(const RestoredContainer& saved);
  void restore(const Lease& saved);

  template <typename E>
  void emit(E effect) {
    effects_.emplace_back(std::move(effect));
  }
  template <typename Change>
  void persist(Change change) {
    effects_.emplace_back(Persist{std::move(change)});
  }

  Options options_;
  Rules rules_;
  TimePoint now_{TimePoint::min()};
  bool closing_ = false;
  std::uint64_t next_turn_ = 0;
  std::uint64_t next_container_ = 1;
  std::vector<Effect> effects_;
  std::vector<Job*> dirty_;  // jobs to settle
  Clockwork timers_;         // before the records, whose alarms point into it
  std::map<std::string, std::unique_ptr<Job>, std::less<>> jobs_;
  std::map<std::string, std::unique_ptr<Container>, std::less<>> containers_;
  ByName<std::unique_ptr<Tenancy>> tenancies_;
  std::unordered_map<RequestId, Waiter*> requests_;
  ByName<unsigned> owners_;  // leases held and trajectories waiting
  ByName<EndReason> ended_;
  std::deque<std::string> ended_order_;
};

}  // namespace berth::pool
