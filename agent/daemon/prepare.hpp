// SPDX-License-Identifier: Apache-2.0
// What is looked at and taken before the agent starts, so that a refusal leaves no trace. Internal to agent/daemon.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/api/tokens.hpp"
#include "agent/config/config.hpp"
#include "agent/daemon/job_folder.hpp"
#include "agent/daemon/listen.hpp"
#include "agent/daemon/state_dir.hpp"
#include "agent/executor/tool_server.hpp"
#include "base/http/server.hpp"
#include "base/tls/server_context.hpp"
#include "drivers/docker/endpoint.hpp"

namespace berth::agent {

struct Prepared {
  ListenAddress address;
  Tokens tokens;
  std::string slotd;
  std::vector<FolderJob> jobs;
  StateDir state_dir;
  std::optional<ToolServer> tool_server;
  std::optional<tls::ServerContext> tls;
  drivers::docker::Endpoint docker;
};

[[nodiscard]] Expected<Prepared> prepare(const Config& config);

// No file: open to everybody who reaches the agent.
[[nodiscard]] Expected<Tokens> read_tokens(const std::string& file);

// Neither file: no TLS. Tells until when the certificate holds.
[[nodiscard]] Expected<std::optional<tls::ServerContext>> read_tls(const std::string& cert, const std::string& key);

// No folder: no jobs.
[[nodiscard]] Expected<std::vector<FolderJob>> read_jobs(const std::string& folder);

// Idle clients never take the descriptors that calls need.
[[nodiscard]] http::ServerLimits server_limits();

}  // namespace berth::agent
