// SPDX-License-Identifier: Apache-2.0
#include "jobs/tools.hpp"

#include <algorithm>

namespace berth::jobs {
namespace {

std::vector<ArgRule> command_args(ArgRule first) {
  return {first,
          {"env", ArgKind::text_map},
          {"cwd", ArgKind::path},
          {"stdin", ArgKind::text},
          {"allow_network", ArgKind::flag},
          {"require_sandbox", ArgKind::flag}};
}

std::vector<ToolRule> make_tools() {
  ToolRule exec{"exec", command_args({"argv", ArgKind::text_list, true})};
  exec.args.push_back({"tty", ArgKind::flag});
  exec.args.push_back({"background", ArgKind::flag});
  return {exec,
          {"bash", command_args({"command", ArgKind::text, true})},
          {"read_file", {{"path", ArgKind::path, true}, {"offset", ArgKind::count}, {"limit", ArgKind::count}}},
          {"write_file", {{"path", ArgKind::path, true}, {"content", ArgKind::text, true}}}};
}

}  // namespace

const std::vector<ToolRule>& known_tools() {
  static const std::vector<ToolRule> tools = make_tools();
  return tools;
}

const ToolRule* find_tool(std::string_view name) {
  const auto& tools = known_tools();
  const auto found = std::find_if(tools.begin(), tools.end(), [&](const ToolRule& tool) { return tool.name == name; });
  return found == tools.end() ? nullptr : &*found;
}

}  // namespace berth::jobs
