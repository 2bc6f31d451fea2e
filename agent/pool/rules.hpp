// SPDX-License-Identifier: Apache-2.0
// The pool's decisions as pure functions of plain numbers, apart from its bookkeeping: each can be read, tested and
// replaced alone.
#pragma once

#include <cstddef>
#include <string>

#include "agent/pool/views.hpp"

namespace berth::pool {

inline constexpr unsigned kMostSlots = 1000;  // of one container

// One job, counted.
struct Census {
  unsigned min = 0, max = 0, spare = 0;
  unsigned slots = 1;         // per container
  std::size_t waiting = 0;    // trajectories that wait, and those turned away in this step for want of a slot
  std::size_t available = 0;  // slots that can be leased now
  std::size_t coming = 0;     // slots of starting containers, and slots in their first reset
  unsigned serving = 0;       // containers starting, up or suspect, and not draining
  unsigned total = 0;         // all containers that exist, draining and stopping ones too
};

// One container, counted.
struct Berths {
  ContainerState state = ContainerState::starting;
  bool draining = false;
  unsigned available = 0;
  unsigned leased = 0;
};

struct Rules {
  // Whether the answer to a reset makes the slot available: only the verified one that is awaited.
  bool (*reset_frees)(Generation awaited, Generation answered, bool ok);
  // Above both what the pool and what slotd has seen.
  Generation (*next_generation)(Generation known, Generation floor);
  // May slots of this container be leased?
  bool (*may_serve)(const Berths& container);
  // May a container that has been without leases for shrink_after be given back?
  bool (*may_shrink)(const Census& job, const Berths& container);
  // May a draining container be stopped?
  bool (*may_stop)(const Berths& container);
  // How many containers to start now.
  unsigned (*to_start)(const Census& job);
  // May one more request wait?
  bool (*may_wait)(std::size_t waiting, std::size_t limit);
  // Is it over, at `now`? For deadlines of waiters and ends of leases.
  bool (*is_over)(TimePoint end, TimePoint now);
  // Pause after `failures` (>= 1) failures in a row.
  Duration (*backoff)(unsigned failures, Duration first, Duration most);
};

[[nodiscard]] Rules default_rules();

}  // namespace berth::pool
