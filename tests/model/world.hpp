// SPDX-License-Identifier: Apache-2.0
// Everything around the pool, played: slot servers that keep floors and remember who used a slot, a driver that starts
// and stops them, a store, clients, and a network that delays, repeats and loses answers.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/pool/pool.hpp"
#include "tests/model/operation.hpp"
#include "tests/model/reference.hpp"

namespace berth::pool::model {

// What a store would hold after the Persist effects so far.
struct Store {
  std::map<std::string, Lease> leases;
  std::map<std::string, ContainerSaved> containers;
  std::map<std::pair<std::string, unsigned>, Generation> generations;

  void apply(const Persist& effect);
  [[nodiscard]] Restored restored(const std::map<std::string, JobApplied>& jobs) const;
};

class World {
 public:
  // The event that an operation stands for, if it is one that the pool hears of. Moves the clock.
  std::optional<Event> play(const Operation& operation, const Pool& pool);
  void carry_out(const Effect& effect);
  void told(const Event& event);  // is about to be handed to the pool

  // The agent is dead; what its successor learns from the store, then from the driver.
  Restored crash();
  std::vector<Event> adoption();

  // Everything shall end: what to tell the pool, and then whatever it still has to hear.
  std::vector<Event> end_jobs() const;
  std::vector<Event> settle();
  [[nodiscard]] bool empty() const { return servers_.empty(); }

  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }

 private:
  struct Slot {
    Generation floor = 1;
    std::string user;  // the last lease that ran something since the last reset
  };
  struct Server {  // a container
    std::string job;
    bool running = false, stopping = false;
    unsigned boots = 1;
    std::vector<Slot> slots;
    [[nodiscard]] std::string boot() const { return "boot" + std::to_string(boots); }
  };
  struct Handle {  // a lease in a client's hands, perhaps long over
    Lease lease;
    std::string boot;
  };
  struct Order {  // a ResetSlot on its way
    ResetSlot reset;
    std::string boot;
  };
  using Servers = std::map<std::string, Server>;

  Event acquire(unsigned a, unsigned b);
  Event apply(unsigned a, unsigned b);
  std::optional<Event> client(const Operation& operation, const Pool& pool);
  std::optional<Event> answer(const Operation& operation);
  std::optional<Event> container(const Operation& operation);
  std::optional<Event> reset_done(unsigned a, unsigned b);
  std::optional<Event> start_done(unsigned a, unsigned b);
  std::optional<Event> reboot(const std::string& id, Server& server, unsigned b);
  void sleep(const Operation& operation, const Pool& pool);
  void run_call(const Handle& handle, const Pool& pool);
  SlotReset execute(const Order& order, bool works);
  [[nodiscard]] ContainerStarted started(const std::string& id, const Server& server) const;
  Servers::iterator pick(unsigned a, bool running, bool stopping);
  void fail(int invariant, const std::string& what);

  TimePoint now_{std::chrono::hours(1)};
  std::optional<Violation> violation_;
  Store store_;
  Servers servers_;
  std::map<std::string, JobApplied> jobs_;
  std::set<std::string> removed_;             // jobs that are on their way out
  std::map<std::string, std::string> boots_;  // as the agent knows them
  std::vector<Order> orders_;
  std::vector<Event> mail_;    // late answers
  std::deque<Event> history_;  // for repetition
  std::deque<Handle> handles_;
  RequestId requests_ = 0;
  unsigned leases_ = 0;
};

}  // namespace berth::pool::model
