// SPDX-License-Identifier: Apache-2.0
// The end of a call for whoever looks later: counted, timed, and logged with its ids.
#pragma once

#include <string>

#include "agent/events/agent_metrics.hpp"
#include "base/clock.hpp"
#include "berth/call.hpp"
#include "berth/error.hpp"

namespace berth::agent {

struct CallNote {
  std::string lease;
  std::string execution;
  std::string tool;
  TimePoint begin{};  // its arrival
};

// Logged at debug, and as a warning when it was not the caller's doing that it failed.
void note_call(AgentMetrics& metrics, const CallNote& call, const Expected<Result>& answer, TimePoint at = now());

}  // namespace berth::agent
