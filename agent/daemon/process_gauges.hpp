// SPDX-License-Identifier: Apache-2.0
// What the process takes of its machine, and what its HTTP server holds. Internal to agent/daemon.
#pragma once

#include "base/http/server.hpp"
#include "base/metrics.hpp"

namespace berth::agent {

// Reads /proc/self: microseconds. `limits`: those that the server was made with.
void set_process_gauges(MetricsRegistry& registry, const http::Server& server, const http::ServerLimits& limits);

}  // namespace berth::agent
