// SPDX-License-Identifier: Apache-2.0
// What the pool lets others see of its state (design section 6). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace berth::pool {

using Generation = std::uint64_t;  // 0: never reset or leased; slotd refuses calls below its floor
using RequestId = std::uint64_t;   // drawn by the caller, unique among the requests in flight

// `executing` is how an acquired slot is shown while calls run in it; it is not a state of its own.
enum class SlotState : std::uint8_t { starting, available, acquired, executing, releasing, error, lost };
[[nodiscard]] std::string_view to_string(SlotState state);
// The five words of the tool-executor routes: starting and releasing read "releasing", lost reads "error".
[[nodiscard]] std::string_view to_peer_string(SlotState state);

enum class ContainerState : std::uint8_t {
  starting,  // asked for; no slot is usable yet
  up,        // serves
  suspect,   // unknown is not gone: leases live on, no new lease, no reset is sent until it is healthy again
  stopping,  // asked to stop; answers of its slots are ignored
  gone,      // stopped, failed or lost; forgotten at the end of the step
};
[[nodiscard]] std::string_view to_string(ContainerState state);

enum class EndReason : std::uint8_t { released, idle, ttl, container_lost, slot_lost, job_removed };
[[nodiscard]] std::string_view to_string(EndReason reason);

struct Lease {
  std::string id;
  std::string job;
  std::string trajectory;
  std::string owner;  // name of the token that acquired it; may be empty
  std::string container;
  unsigned slot = 0;
  Generation generation = 0;
  TimePoint ends_at = TimePoint::max();  // fixed end (ttl); max: none
  Duration idle{};
  TimePoint used_at{};  // last acquire, renew, use, or end of a call
  unsigned calls = 0;   // running now; an executing lease never idles out

  [[nodiscard]] TimePoint idle_at() const;  // max while calls run
  [[nodiscard]] TimePoint expires_at() const { return idle_at() < ends_at ? idle_at() : ends_at; }
};

struct SlotView {
  std::string container;
  unsigned slot = 0;
  std::string job;
  SlotState state = SlotState::starting;
  Generation generation = 0;  // of the lease, or of the reset that is awaited or was verified
  std::string lease;          // empty: none
  std::string trajectory;     // empty: none
  std::string cause;          // why it is in error; empty otherwise
};

struct ContainerView {
  std::string container;
  std::string job;
  ContainerState state = ContainerState::starting;
  bool draining = false;
  std::string boot;   // empty before the first ContainerStarted
  std::string cause;  // why it is suspect, draining or stopping; empty otherwise
  unsigned slots = 0;
  unsigned available = 0;
  unsigned leased = 0;
};

struct JobView {
  std::string job;
  unsigned min = 0, max = 0, spare = 0;
  bool removing = false;
  unsigned starting = 0, up = 0, suspect = 0, draining = 0,
           stopping = 0;  // containers; up and suspect do not count draining ones
  unsigned available = 0, leased = 0, releasing = 0, broken = 0;  // slots
  std::size_t waiting = 0;                                        // requests
  unsigned failures = 0;                                          // starts that failed in a row
  std::string last_failure;                                       // reason of the last one; empty after a success
  std::optional<TimePoint> retry_at;                              // no start before this
};

// "slot_7": how slotd and the wire name a slot.
[[nodiscard]] std::string slot_name(unsigned index);
// The index of "slot_7"; nothing for other text or an index over 65535.
[[nodiscard]] std::optional<unsigned> slot_index(std::string_view name);

}  // namespace berth::pool
