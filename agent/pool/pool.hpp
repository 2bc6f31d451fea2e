// SPDX-License-Identifier: Apache-2.0
// The pure heart of the agent: which trajectory holds which slot, what waits, which containers exist.
// step(event, now) changes the state and returns what is to be done; the pool itself does no I/O, reads no clock and
// draws no random numbers, so the same events give the same effects. Single-threaded: one thread at a time, views
// included. docs/life-cycle.md draws the states.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/pool/effects.hpp"
#include "agent/pool/events.hpp"
#include "agent/pool/rules.hpp"
#include "agent/pool/views.hpp"

namespace berth::pool {

struct Options {
  std::string prefix =
      "c";  // container ids are PREFIX-1, PREFIX-2 ..; give each agent life another one, [a-z0-9-]{1,40}
  std::size_t max_waiters = 10000;                    // requests that wait, over all jobs
  std::size_t max_ended = 10000;                      // ended leases remembered for Pool::ended
  Duration start_timeout = std::chrono::minutes(20);  // setup alone may take 10
  Duration stop_timeout = std::chrono::seconds(60);
  Duration reset_timeout = std::chrono::seconds(30);
  Duration suspect_grace = std::chrono::seconds(60);  // suspect longer than this: drained and replaced
  Duration first_backoff = std::chrono::seconds(1);   // after a failed start, doubled each time
  Duration most_backoff = std::chrono::seconds(60);
  unsigned max_rebuilds = 3;  // failed resets of one slot in a row that make its container sick
};

class Pool {
 public:
  explicit Pool(Options options = {}, Rules rules = default_rules());
  ~Pool();
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;

  // What is due at `now` happens first, as if a Tick came before; time that goes backwards stands still.
  [[nodiscard]] std::vector<Effect> step(const Event& event, TimePoint now);

  // When to send Tick if nothing else happens before; max: not needed. It may find nothing to do.
  [[nodiscard]] TimePoint next_tick() const;

  // Pointers are good until the next step.
  [[nodiscard]] const Lease* find_lease(std::string_view id) const;
  [[nodiscard]] const Lease* find_lease(std::string_view job, std::string_view owner,
                                        std::string_view trajectory) const;
  // The live lease of a slot, for callers that name slots.
  [[nodiscard]] const Lease* find_lease_of_slot(std::string_view container, unsigned slot) const;
  // Why a lease ended, as long as it is remembered; nothing if it lives or is unknown.
  [[nodiscard]] std::optional<EndReason> ended(std::string_view lease) const;

  // Snapshots, ordered by name; an empty job name means all jobs.
  [[nodiscard]] std::vector<JobView> jobs() const;
  [[nodiscard]] std::optional<JobView> job(std::string_view name) const;
  [[nodiscard]] std::vector<ContainerView> containers(std::string_view job = {}) const;
  [[nodiscard]] std::vector<SlotView> slots(std::string_view job = {}) const;
  [[nodiscard]] std::vector<Lease> leases(std::string_view job = {}) const;
  [[nodiscard]] std::size_t waiting() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace berth::pool
