// SPDX-License-Identifier: Apache-2.0
// What the pool wants done, to be carried out in order. Persist comes before the effect that depends on it.
#pragma once

#include <string>
#include <variant>

#include "agent/pool/views.hpp"
#include "berth/error.hpp"

namespace berth::pool {

// --- answers to callers -----------------------------------------------------------------------------------------

struct Granted {
  RequestId request = 0;
  Lease lease;
  bool existing = false;  // the trajectory's live lease again
};
// Codes: unknown_job, no_slot, too_many_waiters, too_many_slots, container_failed, job_removed, agent_stopping,
// bad_request (a lease id that is in use).
struct Refused {
  RequestId request = 0;
  Error error;
  Duration retry_after{};  // zero: asking again will not help soon
};
// Whoever relays calls cancels those of this generation. Follows every end of a lease, asked for or not.
struct LeaseEnded {
  Lease lease;
  EndReason why = EndReason::released;
  std::string message;  // more to say than `why`; may be empty
};

// --- for containers and their driver ----------------------------------------------------------------------------

// Answered by SlotReset with the same generation; without an answer in Options::reset_timeout it counts as failed.
struct ResetSlot {
  std::string container;
  unsigned slot = 0;
  Generation generation = 0;
  bool rebuild = false;  // an earlier reset of this slot failed: build it anew rather than clean it
};
// Answered by ContainerStarted or ContainerFailed. The id is the pool's: [a-z0-9-]{1,63}.
struct StartContainer {
  std::string container;
  std::string job;
  std::uint64_t version = 0;
};
// Answered by ContainerStopped or ContainerLost; asked again every Options::stop_timeout until then. Also for
// containers that the pool does not know.
struct StopContainer {
  std::string container;
  std::string why;
};

// --- for the store: in the log before what follows is done --------------------------------------------------------

struct LeaseSaved {
  Lease lease;
};
struct LeaseDropped {
  std::string lease;
};
struct SlotSaved {  // generations are saved before they are used
  std::string container;
  unsigned slot = 0;
  Generation generation = 0;
};
struct ContainerSaved {  // saved before it is started, and again with its boot
  std::string container;
  std::string job;
  std::string boot;
  std::uint64_t version = 0;
  unsigned slots = 0;
};
struct ContainerDropped {
  std::string container;
};
struct Persist {
  std::variant<LeaseSaved, LeaseDropped, SlotSaved, ContainerSaved, ContainerDropped> change;
};

// --- for observers ------------------------------------------------------------------------------------------------

struct SlotChanged {
  std::string container;
  unsigned slot = 0;
  std::string job;
  SlotState from = SlotState::starting;
  SlotState to = SlotState::starting;
  Generation generation = 0;
  std::string lease;  // empty: none
  std::string why;    // empty where the states say it
};
struct ContainerChanged {
  std::string container;
  std::string job;
  ContainerState from = ContainerState::starting;
  ContainerState to = ContainerState::starting;  // equal to `from` when only `draining` changed
  bool draining = false;
  std::string why;
};
// The removed job's last container is gone; the pool has forgotten the job.
struct JobGone {
  std::string job;
};

using Effect = std::variant<Granted, Refused, LeaseEnded, ResetSlot, StartContainer, StopContainer, Persist,
                            SlotChanged, ContainerChanged, JobGone>;

}  // namespace berth::pool
