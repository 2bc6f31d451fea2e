// SPDX-License-Identifier: Apache-2.0
#include "agent/events/call_note.hpp"

#include "base/log.hpp"

namespace berth::agent {
namespace {

bool is_platforms_fault(std::string_view cause) {
  return cause == "isolation" || cause == "protocol" || cause == "transport";
}

void log_end(const CallNote& call, const Result& result, std::string_view cause, Duration took) {
  const LogLevel level = is_platforms_fault(cause) ? LogLevel::warning : LogLevel::debug;
  if (!log_enabled(level)) return;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  log(level, "call ended",
      {{"lease", call.lease},
       {"execution", call.execution},
       {"tool", call.tool},
       {"cause", std::string(cause)},
       {"error", is_platforms_fault(cause) ? result.error : std::string()},
       {"ms", std::to_string(milliseconds)}});
}

}  // namespace

void note_call(AgentMetrics& metrics, const CallNote& call, const Expected<Result>& answer, TimePoint at) {
  if (answer) {
    const std::string_view cause = cause_word(*answer);
    metrics.called(call.tool, *answer, cause, at - call.begin);
    return log_end(call, *answer, cause, at - call.begin);
  }
  metrics.call_refused(answer.error().code);
  if (!log_enabled(LogLevel::debug)) return;
  log(LogLevel::debug, "call refused",
      {{"lease", call.lease}, {"execution", call.execution}, {"tool", call.tool}, {"code", answer.error().code}});
}

}  // namespace berth::agent
