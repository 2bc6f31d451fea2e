// SPDX-License-Identifier: Apache-2.0
// The agent's own HTTP API (wire.md 1.9, docs/api.md): /v1/..., /openapi.json, /metrics, /healthz, /readyz.
// Made after the runtime and gone before it; what it starts on the side (calls nobody waits for) keeps what it needs.
// Single-threaded: everything on one io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/api/tokens.hpp"
#include "agent/events/agent_metrics.hpp"
#include "agent/events/event_log.hpp"
#include "agent/inputs/input_store.hpp"
#include "agent/runtime/runtime.hpp"
#include "base/http/server.hpp"

namespace berth::agent {

// All outlive the Api. `tokens` may be assigned to at any time.
struct ApiParts {
  boost::asio::io_context& context;
  Runtime& runtime;
  const Tokens& tokens;
  EventLog& events;
  AgentMetrics& metrics;
  InputStore& inputs;  // the runtime's
};

// What whoever keeps job files is asked before a job changes over HTTP; an error refuses the change (409) and is shown.
struct JobHooks {
  std::function<Expected<void>(const jobs::Job& job, const std::string& text)> on_put;
  std::function<Expected<void>(const std::string& name)> on_delete;
};

struct ApiOptions {
  std::string version;
  std::string default_job;  // of the tool-executor routes: without it the agent is not ready; empty: none
  JobHooks jobs;
  std::size_t max_event_streams = 256;
  std::chrono::seconds ping_every{10};
  Seconds max_timeout{3600};  // of calls (wire.md 1.12)
};

class Api {
 public:
  explicit Api(ApiParts parts, ApiOptions options = {});
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Whether a path is this API's; every other one is somebody else's to answer.
  [[nodiscard]] static bool serves(std::string_view path);
  // Method and path pattern of everything that it answers: what /openapi.json has to describe.
  [[nodiscard]] static std::vector<std::pair<std::string, std::string>> routes();
  // One request, whatever it is. Whether it is allowed is decided before its body is read.
  [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange);

  // From now on nothing new is leased or applied (503) and /readyz says 503; calls of live leases go on. Ends the
  // event streams. For SIGTERM, before Server::stop().
  void drain();

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace berth::agent
