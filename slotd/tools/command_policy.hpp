// SPDX-License-Identifier: Apache-2.0
// The flags of a call that may only narrow what the container allows (wire.md 1.8), and the environment of a command
// (wire.md 1.16). Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isolation/plan.hpp"
#include "slotd/tools/tool.hpp"

namespace berth::slotd {

struct CommandPolicy {
  bool sandboxed = false;
  bool network_isolated = false;
  bool cut_network = false;  // the call asked for less than the slot has
};

[[nodiscard]] bool is_sandboxed(const isolation::MeasureSet& in_force);

// A refusal, or what holds for the command. `network` is the slots' own.
[[nodiscard]] tl::expected<CommandPolicy, ToolResult> command_policy(const Json& args,
                                                                     const isolation::MeasureSet& in_force,
                                                                     NetworkMode network);

// `cut_network`: as in CommandPolicy.
[[nodiscard]] std::vector<std::string> command_environment(const ContainerSpec& spec, const Execution& execution,
                                                           const std::map<std::string, std::string>& more,
                                                           bool cut_network);

// Tells programs of the slot's proxy; nothing where it has none.
void add_proxy_variables(const ContainerSpec& spec, std::map<std::string, std::string>& env);

// An object of strings that can be environment variables; nothing when it is not.
[[nodiscard]] std::optional<std::map<std::string, std::string>> read_environment(const Json& value);

}  // namespace berth::slotd
