// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/bash_stateful.hpp"
#include "slotd/tools/exec.hpp"
#include "slotd/tools/file_tools.hpp"
#include "slotd/tools/tmux.hpp"
#include "slotd/tools/tool.hpp"

namespace berth::slotd {

ToolRegistry::ToolRegistry() {
  tools_.push_back(make_exec_tool());
  tools_.push_back(make_bash_tool());
  tools_.push_back(make_bash_stateful_tool());
  tools_.push_back(make_tmux_tool());
  tools_.push_back(make_read_file_tool());
  tools_.push_back(make_write_file_tool());
}

ToolRegistry::~ToolRegistry() = default;

const Tool* ToolRegistry::find(std::string_view name) const {
  for (const auto& tool : tools_) {
    if (tool->name() == name) return tool.get();
  }
  return nullptr;
}

bool Tool::takes_turn(const Json& /*args*/) const {
  return true;
}

ToolResult refused(std::string error, Cause cause) {
  ToolResult result;
  result.error = std::move(error);
  result.metadata.text("cause", to_string(cause)).boolean("started", false);
  return result;
}

}  // namespace berth::slotd
