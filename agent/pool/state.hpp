// SPDX-License-Identifier: Apache-2.0
// The pool's records. Internal to agent/pool; only Core changes them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "agent/pool/events.hpp"
#include "agent/pool/rules.hpp"
#include "agent/pool/timers.hpp"
#include "agent/pool/views.hpp"

namespace berth::pool {

struct Waiter;
struct Tenancy;
struct Container;
struct Job;

struct SlotAt {
  Container* container = nullptr;
  unsigned index = 0;
};
using Target = std::variant<Waiter*, Tenancy*, SlotAt, Container*, Job*>;
using Clockwork = Timers<Target>;
using Alarm = Clockwork::Alarm;

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <typename Value>
using ByName = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

// A request in its job's queue.
struct Waiter {
  AcquireRequested wish;
  Job* job = nullptr;
  std::uint64_t turn = 0;  // key in Job::queue
  Alarm alarm;             // the deadline
};

// A live lease and where it is.
struct Tenancy {
  Lease lease;
  Job* job = nullptr;
  Container* container = nullptr;
  Alarm alarm;  // at or before lease.expires_at(): use moves the end without touching the alarm
};

struct Slot {
  SlotState state = SlotState::starting;  // `executing` is derived from the lease
  bool asked = false;                     // releasing: a ResetSlot is out
  unsigned failures = 0;                  // resets that failed in a row
  Generation generation = 0;              // of the lease, or of the reset that is awaited or was verified
  Generation floor = 0;                   // slotd's, as far as known
  Tenancy* tenancy = nullptr;
  std::string cause;
  Alarm alarm;  // releasing: the answer is late; error: time to rebuild
};

// What one container adds to its job's numbers.
struct Tally {
  unsigned starting = 0, up = 0, suspect = 0, draining = 0, stopping = 0;
  unsigned available = 0;  // and in a container that may serve
  unsigned coming = 0, leased = 0, releasing = 0, broken = 0;
};
Tally& operator+=(Tally& sum, const Tally& part);
Tally& operator-=(Tally& sum, const Tally& part);

struct Container {
  std::string id;
  std::uint64_t number = 0;  // order of creation
  Job* job = nullptr;
  ContainerState state = ContainerState::starting;
  bool draining = false;
  bool adopting = false;  // restored, not yet confirmed by the driver
  std::uint64_t version = 0;
  std::string boot;
  std::string cause;
  TimePoint up_since{};
  TimePoint idle_since{};           // of the last lease's end
  std::vector<Slot> slots;          // never resized in place: alarms are known by address
  std::vector<std::uint16_t> free;  // available ones; the next to lease is at the back
  unsigned leased = 0, releasing = 0, broken = 0;
  unsigned first_resets = 0;  // releasing, none failed so far
  Tally counted;              // what Job::sum holds of it
  Alarm alarm;                // by state: start overdue, idle enough to shrink, suspect too long, stop overdue

  [[nodiscard]] Berths berths() const { return {state, draining, static_cast<unsigned>(free.size()), leased}; }
};

struct Job {
  JobApplied policy;
  bool removing = false;
  bool ever_up = false;  // a container of this version came up once
  unsigned failures = 0;
  TimePoint failed_at = TimePoint::min();
  TimePoint retry_at = TimePoint::min();
  std::string last_failure;
  std::size_t missed = 0;  // requests turned away in this step for want of a slot
  Tally sum;
  std::map<std::uint64_t, Container*> members;           // by number
  std::map<std::uint64_t, Container*> open;              // may serve and have a free slot; the oldest is filled first
  std::map<std::uint64_t, Waiter> queue;                 // by turn
  ByName<std::set<std::uint64_t>> waiting_trajectories;  // affinity key -> turns
  ByName<Tenancy*> tenancies;                            // affinity key -> live lease
  Alarm alarm;                                           // the end of a back-off
  bool dirty = false;

  [[nodiscard]] unsigned serving() const { return sum.starting + sum.up + sum.suspect; }
  [[nodiscard]] Census census() const;
};

// Leases are shared by calls of one trajectory of one owner.
[[nodiscard]] std::string affinity_key(std::string_view owner, std::string_view trajectory);

}  // namespace berth::pool
