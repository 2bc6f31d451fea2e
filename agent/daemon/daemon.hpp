// SPDX-License-Identifier: Apache-2.0
// `berth agent`: the runtime behind HTTP, from its configuration to the last trace of its containers.
//
// SIGHUP reads tokens, jobs and the log's level and format again; what cannot be read leaves what was there.
// SIGTERM or SIGINT drains: /readyz says 503, nothing new is leased, running calls may end (key `drain`), their answers
// are sent, containers are taken down. A second one ends everything at once.
#pragma once

#include <functional>
#include <string>

#include "agent/config/config.hpp"
#include "berth/error.hpp"

namespace berth::agent {

struct DaemonOptions {
  Config config;
  // The same sources read again; called on another thread.
  std::function<tl::expected<Config, jobs::Diagnostics>()> reload;
  std::string version;
};

// Blocks until the agent has gone. Errors: why it could not start (nothing has been started then), or what it could not
// take down. Configures the log and takes over SIGHUP, SIGINT, SIGTERM and SIGPIPE of the process.
[[nodiscard]] Expected<void> run_daemon(DaemonOptions options);

}  // namespace berth::agent
