// SPDX-License-Identifier: Apache-2.0
// An agent with a job `bench`, one connection to it, and leases.
#pragma once

#include <string>
#include <vector>

#include "bench/agent_process.hpp"
#include "bench/caller.hpp"
#include "bench/measure.hpp"

namespace berth::bench {

struct HeldLease {
  std::string id;
  std::string container;
  std::string slot;

  // The request of a call through the agent; and of the same call straight to the slot server.
  [[nodiscard]] std::string bash(const std::string& command, const std::string& more = {}) const;
  [[nodiscard]] std::string bash_straight(const std::string& command) const;
  [[nodiscard]] std::string path() const { return "/v1/leases/" + id; }
};

struct AgentTarget {
  AgentProcess process;
  Caller caller;

  // With as many containers of ten slots: of the setup's engine where it names one, else of this machine.
  [[nodiscard]] static Expected<AgentTarget> start(const Setup& setup, const std::string& slotd, unsigned containers);

  // Takes slots, one request after the other; `times`, if wanted, gets the milliseconds of each.
  [[nodiscard]] Expected<std::vector<HeldLease>> acquire(int count, std::vector<double>* times = nullptr);
  // Gives them back and waits until as many slots are free.
  [[nodiscard]] Expected<void> release(const std::vector<HeldLease>& leases, unsigned free_then);
};

}  // namespace berth::bench
