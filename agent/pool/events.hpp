// SPDX-License-Identifier: Apache-2.0
// What the world tells the pool. Every event may come late, twice, or about something that no longer exists:
// such an event changes nothing.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/pool/views.hpp"

namespace berth::pool {

// --- from operators ---------------------------------------------------------------------------------------------

// New job or new policy of an existing one. Containers of another `version` are drained and replaced.
struct JobApplied {
  std::string job;
  unsigned min = 1;
  unsigned max = 1;                                 // a smaller max than min reads as min
  unsigned spare = 0;                               // slots kept free beyond demand
  unsigned slots = 10;                              // per container, 1 .. 1000
  std::optional<Duration> ttl;                      // of leases that name none
  Duration idle = std::chrono::minutes(10);         // of leases that name none
  Duration shrink_after = std::chrono::minutes(5);  // a container without leases this long is given back, down to min
  std::uint64_t version = 0;                        // changes when what runs inside changes (image, limits, setup)
};
// Waiters are refused. Leases may end by themselves, or end now with `force`; then containers stop, then JobGone.
struct JobRemoved {
  std::string job;
  bool force = false;
};
// No new lease in this container; it is stopped and replaced when its last lease has ended.
struct DrainRequested {
  std::string container;
};
// The agent is going down and its containers live on: waiters and new acquires are refused, nothing is started,
// nothing is stopped to shrink. To take everything down remove the jobs instead.
struct Closing {};

// --- from callers -----------------------------------------------------------------------------------------------

// Answered by exactly one Granted or Refused, at the latest by the first step at or after `deadline`
// (deadline <= now: in this step), or by nothing after AcquireCancelled.
struct AcquireRequested {
  RequestId request = 0;
  std::string lease;  // id for the lease if a new one is made: 128 random bits drawn by the caller
  std::string job;
  std::string trajectory;  // empty: a trajectory of its own, named like the lease
  std::string owner;       // leases are shared only within one owner
  TimePoint deadline{};
  std::optional<Duration> ttl;        // none: the job's
  std::optional<Duration> idle;       // none: the job's
  std::optional<unsigned> max_slots;  // most slots that the owner may hold or wait for, over all jobs
};
struct AcquireCancelled {
  RequestId request = 0;
};
// Sets the given ones anew, counted from now. Look at Pool::find_lease before (unknown, ended) and after.
struct RenewRequested {
  std::string lease;
  std::optional<Duration> ttl;
  std::optional<Duration> idle;
};
struct ReleaseRequested {
  std::string lease;
};
// Any use that is not a call (files, reading output): renews.
struct LeaseUsed {
  std::string lease;
};
// Each CallStarted is followed by one CallEnded; what is left over when the lease ends is forgotten with it.
struct CallStarted {
  std::string lease;
};
struct CallEnded {
  std::string lease;
};

// --- from containers and their driver ---------------------------------------------------------------------------

// The container answers and all its slots are verified clean, or an adopted container answers again.
// `floors`: slotd's generation floor of each slot; up to 1 is a slot that was never reset. Empty: all fresh.
// Of a container that the pool does not know: it is stopped (an orphan of an earlier life).
struct ContainerStarted {
  std::string container;
  unsigned slots = 0;
  std::string boot;
  std::vector<Generation> floors;
};
// It did not come up and nothing is left of it. `why` is shown to waiters and users.
struct ContainerFailed {
  std::string container;
  std::string why;
};
// It is gone for certain.
struct ContainerLost {
  std::string container;
  std::string why;
};
// It does not answer; that is not yet a reason to end a lease.
struct ContainerSuspect {
  std::string container;
  std::string why;
};
// It answers (again). Another boot than the known one is treated as ContainerRebooted; empty: not looked at.
struct ContainerHealthy {
  std::string container;
  std::string boot;
};
// Its slotd is a new process: what ran in the slots is gone, so are their leases.
struct ContainerRebooted {
  std::string container;
  std::string boot;
};
// Answer to StopContainer.
struct ContainerStopped {
  std::string container;
};
// Answer to ResetSlot. `ok` means reset and verified; `why` says what was wrong otherwise.
struct SlotReset {
  std::string container;
  unsigned slot = 0;
  Generation generation = 0;
  bool ok = false;
  std::string why;
};

// --- from the store, once, as the very first event of an agent's life --------------------------------------------

struct RestoredContainer {
  std::string container;
  std::string job;
  std::string boot;
  std::uint64_t version = 0;
  std::vector<Generation> generations;  // one for each slot, the highest stored; 0: none
};
// Containers are suspect until the driver says ContainerStarted (with boot and floors) or ContainerLost. Leases are
// honoured if they fit their container and slot; `ends_at` is already on this agent's clock; idle time starts anew.
struct Restored {
  std::vector<JobApplied> jobs;
  std::vector<RestoredContainer> containers;
  std::vector<Lease> leases;
};

// Time has passed; see Pool::next_tick.
struct Tick {};

using Event =
    std::variant<JobApplied, JobRemoved, DrainRequested, Closing, AcquireRequested, AcquireCancelled, RenewRequested,
                 ReleaseRequested, LeaseUsed, CallStarted, CallEnded, ContainerStarted, ContainerFailed, ContainerLost,
                 ContainerSuspect, ContainerHealthy, ContainerRebooted, ContainerStopped, SlotReset, Restored, Tick>;

}  // namespace berth::pool
