// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/session_call.hpp"

#include <nlohmann/json.hpp>

namespace berth::slotd {
namespace {

constexpr const char* kOwnFlag = "require_stateful_sandbox";
constexpr const char* kSharedFlag = "require_sandbox";
constexpr std::string_view kNoShell = "no shell in image";

}  // namespace

tl::expected<SessionCall, SessionRefusal> read_session_call(const ToolContext& context) {
  const auto& args = context.args();
  const auto* flag = args.contains(kOwnFlag) ? kOwnFlag : kSharedFlag;
  bool required = false;
  if (const auto found = args.find(flag); found != args.end()) {
    if (!found->is_boolean())
      return tl::unexpected(SessionRefusal{std::string(flag) + " must be true or false", Cause::rejected, false});
    required = found->get<bool>();
  }
  auto flags = Json::object();
  flags[kSharedFlag] = required;
  if (const auto network = args.find("allow_network"); network != args.end()) flags["allow_network"] = *network;
  auto policy = command_policy(flags, context.room.in_force(), context.spec.slot.network);
  if (!policy) {
    const bool by_flag = required && !is_sandboxed(context.room.in_force());
    auto reason = by_flag
                      ? std::string("Stateful sandboxing required but bubblewrap is unavailable in this environment")
                      : policy.error().error;
    return tl::unexpected(SessionRefusal{std::move(reason), Cause::isolation, required});
  }
  SessionCall call{*policy, {}};
  call.wish.env = session_environment(context.spec, policy->cut_network);
  call.wish.no_network = policy->cut_network;
  return call;
}

SessionRefusal refusal_of(const Error& error) {
  return {error.message, error.code == "no_shell" ? Cause::rejected : Cause::isolation, false};
}

std::vector<std::string> session_environment(const ContainerSpec& spec, bool cut_network) {
  // HISTFILE: a shell that keeps what was typed would put it into the workspace.
  std::map<std::string, std::string> env{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"LANG", "C.UTF-8"},
                                         {"HOME", "/workspace"},
                                         {"TMPDIR", "/tmp"},
                                         {"TERM", "xterm-256color"},
                                         {"HISTFILE", "/dev/null"}};
  if (!cut_network) add_proxy_variables(spec, env);
  for (const auto& [name, value] : spec.env) env[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : env) lines.push_back(name + "=" + value);
  return lines;
}

ToolResult refused_session(std::string_view words, const SessionRefusal& refusal) {
  auto result = refusal.reason == kNoShell ? refused(refusal.reason, refusal.cause)
                                           : refused(std::string(words) + refusal.reason, refusal.cause);
  result.metadata.boolean("stateful", true).boolean("requires_bwrap", refusal.required);
  return result;
}

}  // namespace berth::slotd
