// SPDX-License-Identifier: Apache-2.0
// A call as slotd knows it: queued, running, finished; its output as it comes and its result. Shared between the slot
// that runs it, the ledger that remembers it and the connections that wait for it. Single-threaded.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/json.hpp"
#include "berth/call.hpp"
#include "slotd/output_ring.hpp"

namespace berth::slotd {

// How a call ended, ready to be written as the five keys of the protocol.
struct Finished {
  bool success = false;
  std::string output;
  std::string error;
  std::string metadata = "{}";  // JSON text of an object
};

// What a well-formed request asks for.
struct CallRequest {
  std::string id;         // how the execution is found; made by slotd when the request's is not a string
  std::string id_json;    // JSON text that is echoed as execution_id
  bool id_given = false;  // a string of the right form came: the ledger applies
  std::string slot;
  std::optional<std::uint64_t> generation;
  std::string tool;
  std::shared_ptr<const Json> args;  // an object
  Seconds timeout{30};
  std::string timeout_text = "30.0";  // as it was written, for the error text
  std::map<std::string, std::string> env;
  CallLimits limits;
  std::string digest;  // SHA-256 over {tool, args, timeout, env, limits}
  std::size_t request_bytes = 0;
  std::size_t memory_bytes = 0;  // what it takes while it waits: text and values of args, estimated from above
};

enum class ExecutionState : std::uint8_t { queued, running, finished };
[[nodiscard]] std::string_view to_string(ExecutionState state);

class Execution;

// Told of every change (state, output, reply) on the io_context's thread, synchronously: do little, never throw.
class ExecutionListener {
 public:
  virtual ~ExecutionListener() = default;
  virtual void execution_changed(Execution& execution) = 0;
};

class Execution : public std::enable_shared_from_this<Execution> {
 public:
  Execution(CallRequest request, std::uint64_t of_generation, TimePoint arrived, Deadline start_before)
      : call(std::move(request)), generation(of_generation), arrival(arrived), start_by(start_before) {}

  CallRequest call;  // args are let go at the end: nothing reads them any more
  const std::uint64_t generation;
  const TimePoint arrival;
  const Deadline start_by;  // still queued then: cause timeout, never started

  ExecutionState state = ExecutionState::queued;
  TimePoint started_at{};
  TimePoint finished_at{};
  OutputRing stdout_ring;
  std::string_view output_stream = "stdout";  // what stdout_ring holds: "terminal" for both streams on one terminal
  OutputRing stderr_ring;
  // What callers are answered; for a background call it comes before the result.
  std::optional<Finished> reply;
  std::optional<Finished> result;
  bool cancel_requested = false;
  bool delivered = false;   // the reply was sent to somebody, whole
  std::size_t waiters = 0;  // connections that wait for the reply
  // For callers that went: when it ends unless somebody waits again, and whether App counts the time.
  TimePoint wanted_until{};
  bool abandoned = false;

  void add_listener(std::weak_ptr<ExecutionListener> listener) { listeners_.push_back(std::move(listener)); }
  void notify();
  // Memory it holds, for the ledger's budget.
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<std::weak_ptr<ExecutionListener>> listeners_;
};

// The five keys of the protocol, in its order.
[[nodiscard]] std::string result_json(const Finished& finished, std::string_view id_json, bool replayed);
// The two keys; `code` is added when it is not empty.
[[nodiscard]] std::string error_json(std::string_view error, std::string_view code = {});

}  // namespace berth::slotd
