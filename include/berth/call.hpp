// SPDX-License-Identifier: Apache-2.0
// A call (one tool invocation) and its result, as they travel between caller, agent and slot server.
// Plain values, safe to move between threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

using Seconds = std::chrono::duration<double>;

// Why a call ended. The spelling of to_string() is what metadata.cause carries (design section 4.7).
enum class Cause : std::uint8_t {
  exit,            // the command ended by itself; see exit_code
  signal,          // the command was ended by a signal that Berth did not send
  timeout,         // its time limit, or its deadline while queued (then started is false)
  memory,          // the kernel killed it for the slot's memory limit
  disk,            // the slot's disk is full
  output_limit,    // slot.output_kill was set and passed
  cancelled,       // the caller asked for it, or went away
  rejected,        // the call is malformed or refused by a rule; nothing ran
  isolation,       // the promised isolation could not be had; nothing ran
  protocol,        // the slot server answered something that is not the protocol
  slot_lost,       // the slot is no longer the caller's
  container_lost,  // the container is gone; started may be unknown
  transport,       // the connection failed and asking again did not help
};
[[nodiscard]] std::string_view to_string(Cause cause);
[[nodiscard]] std::optional<Cause> cause_from_string(std::string_view text);

// Limits of one call, below those of its slot.
struct CallLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::optional<double> cpu_seconds;
};

// One tool invocation. `args` is validated JSON text: only the tool itself parses it, the relay passes bytes.
struct Call {
  std::string execution_id;  // [A-Za-z0-9._:-]{1,128}, unique per slot and generation
  std::string slot;          // "slot_0" ...
  std::optional<std::uint64_t> generation;
  std::string tool;
  std::string args = "{}";
  Seconds timeout{30};  // runs from the start of the command
  std::map<std::string, std::string> env;
  CallLimits limits;
};

// The result of a call. `metadata` is JSON text of one object; the keys are those of wire.md 1.14.
struct Result {
  bool success = false;
  std::string output;
  std::string error;
  std::string execution_id;
  std::string metadata = "{}";
};

}  // namespace berth
