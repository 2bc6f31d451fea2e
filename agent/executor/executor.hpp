// SPDX-License-Identifier: Apache-2.0
// The tool-executor routes (wire.md 1.1 and 1.10, facts/slot-protocol.md 6): trajectories call tools by name and never
// hear of leases. GET /, /health, /status; POST /execute, /release, /artifacts/{read,list,archive}.
// Made after the runtime and gone before it. Single-threaded: everything on one io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/api/tokens.hpp"
#include "agent/events/agent_metrics.hpp"
#include "agent/executor/tool_server.hpp"
#include "agent/runtime/runtime.hpp"
#include "base/http/server.hpp"

namespace berth::agent {

// All outlive the Executor. `tokens` may be assigned to at any time.
struct ExecutorParts {
  boost::asio::io_context& context;
  Runtime& runtime;
  const Tokens& tokens;
  AgentMetrics& metrics;
};

struct ExecutorOptions {
  std::string default_job;  // where trajectories get their slots; empty: none, and no tool of a slot runs
  std::optional<ToolServer> tool_server;
  Seconds max_timeout{3600};                      // of calls; they ask for 600 s at most anyway
  std::chrono::milliseconds vanish_grace{3'000};  // until the call of a caller that went away is ended
};

class Executor {
 public:
  Executor(ExecutorParts parts, ExecutorOptions options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  [[nodiscard]] static bool serves(std::string_view path);
  // One request. Whether it is allowed is decided before its body is read.
  [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange);

  // Calls that a tool server has: slots know nothing of them.
  [[nodiscard]] std::size_t outside_calls() const;
  // Ends those, with cause cancelled: the agent stops.
  void end_outside_calls();

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace berth::agent
