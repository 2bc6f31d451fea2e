// SPDX-License-Identifier: Apache-2.0
// Which tool of the slot server a tool of the agent is, and what of its arguments is the job's to say and never the
// model's (facts/slot-protocol.md 3.6 and 6.2). Pure functions. Private to agent/executor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "berth/error.hpp"
#include "jobs/job.hpp"

namespace berth::agent {

struct SlotTool {
  std::string_view name;       // the agent's
  std::string_view slot_name;  // the slot server's
};
[[nodiscard]] std::optional<SlotTool> slot_tool(std::string_view name);
// Names that stay the slots' own: no tool server is asked for them.
[[nodiscard]] bool is_reserved(std::string_view name);

// The arguments as they are sent. Error "background": the call asks for what slots do not do.
[[nodiscard]] Expected<std::string> apply_policy(const SlotTool& tool, const std::string& arguments,
                                                 const jobs::Job& job);

}  // namespace berth::agent
