// SPDX-License-Identifier: Apache-2.0
// The tools of a slot and the arguments they cannot do without, as far as a job file can be checked before it runs.
#pragma once

#include <string_view>
#include <vector>

namespace berth::jobs {

enum class ArgKind : unsigned char { text, path, text_list, flag, count, text_map };

struct ArgRule {
  std::string_view name;
  ArgKind kind = ArgKind::text;
  bool required = false;
};

struct ToolRule {
  std::string_view name;
  std::vector<ArgRule> args;
};

[[nodiscard]] const std::vector<ToolRule>& known_tools();
[[nodiscard]] const ToolRule* find_tool(std::string_view name);

}  // namespace berth::jobs
