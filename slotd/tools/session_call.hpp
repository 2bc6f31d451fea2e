// SPDX-License-Identifier: Apache-2.0
// What bash_stateful and tmux ask of the slot's session alike: the policy of the call and the shell that fits it.
#pragma once

#include <string>
#include <vector>

#include "slotd/tools/command_policy.hpp"
#include "slotd/tools/tool.hpp"

namespace berth::slotd {

struct SessionCall {
  CommandPolicy policy;
  SessionWish wish;
};

// Why there is no session for a call. `reason` goes behind the tool's own words ("Failed to ... session: ").
struct SessionRefusal {
  std::string reason;
  Cause cause = Cause::rejected;
  bool required = false;  // the call asked for a sandbox by its flag
};

// `require_stateful_sandbox` (else `require_sandbox`) and `allow_network`, strictly.
[[nodiscard]] tl::expected<SessionCall, SessionRefusal> read_session_call(const ToolContext& context);
[[nodiscard]] SessionRefusal refusal_of(const Error& error);
// PATH, HOME, TERM and the like, then what the slot's configuration adds: a session outlives single calls, so nothing
// of a call is in it.
[[nodiscard]] std::vector<std::string> session_environment(const ContainerSpec& spec, bool cut_network);

// metadata: stateful, requires_bwrap.
[[nodiscard]] ToolResult refused_session(std::string_view words, const SessionRefusal& refusal);

}  // namespace berth::slotd
