// SPDX-License-Identifier: Apache-2.0
#include "agent/executor/policy.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::agent {
namespace {

constexpr std::array kTools{SlotTool{"terminal", "bash"}, SlotTool{"terminal_stateful", "bash_stateful"},
                            SlotTool{"tmux", "tmux"}, SlotTool{"read_file", "read_file"},
                            SlotTool{"write_file", "write_file"}};

constexpr std::array<const char*, 3> kPolicyKeys{"allow_network", "require_sandbox", "require_stateful_sandbox"};

bool asks_for_background(const Json& arguments) {
  const auto found = arguments.find("background");
  return found != arguments.end() && !found->is_null() && *found != Json(false);
}

}  // namespace

std::optional<SlotTool> slot_tool(std::string_view name) {
  const auto found = std::find_if(kTools.begin(), kTools.end(), [&](const auto& each) { return each.name == name; });
  return found == kTools.end() ? std::nullopt : std::optional(*found);
}

bool is_reserved(std::string_view name) {
  return slot_tool(name) || name == "bash" || name == "bash_stateful";
}

Expected<std::string> apply_policy(const SlotTool& tool, const std::string& arguments, const jobs::Job& job) {
  auto parsed = parse_json(arguments);
  if (!parsed) return tl::unexpected(parsed.error());
  Json& sent = *parsed;
  if (tool.name == "read_file" || tool.name == "write_file") return arguments;
  if (tool.name == "terminal") {
    if (asks_for_background(sent))
      return fail("background", "terminal background execution is not supported in sandbox",
                  "start it in terminal_stateful or tmux");
    sent.erase("background");
  }
  if (tool.name != "tmux") sent.erase("timeout");
  for (const char* key : kPolicyKeys) sent.erase(key);
  // A best-effort job takes what the machine has: it asks for nothing that a slot without it would refuse.
  const bool strict = job.isolation == IsolationLevel::strict;
  sent["allow_network"] = !strict || job.slot.network != NetworkMode::none;
  sent[tool.name == "terminal" ? "require_sandbox" : "require_stateful_sandbox"] = strict;
  return dump_json(sent);
}

}  // namespace berth::agent
