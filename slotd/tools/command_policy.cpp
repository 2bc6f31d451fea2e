// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/command_policy.hpp"

#include <nlohmann/json.hpp>

namespace berth::slotd {
namespace {

using isolation::Measure;

// Absent counts as `fallback`; anything but true or false is refused, "false" in quotes above all.
tl::expected<bool, ToolResult> strict_flag(const Json& args, const char* key, bool fallback) {
  const auto found = args.find(key);
  if (found == args.end()) return fallback;
  if (!found->is_boolean()) return tl::unexpected<ToolResult>(refused(std::string(key) + " must be true or false"));
  return found->get<bool>();
}

ToolResult refused_without_sandbox(std::string error) {
  auto result = refused(std::move(error), Cause::isolation);
  result.metadata.boolean("sandboxed", false).boolean("network_isolated", false).boolean("requires_bwrap", true);
  return result;
}

}  // namespace

bool is_sandboxed(const isolation::MeasureSet& in_force) {
  return isolation::has(in_force, Measure::mount_namespace) && isolation::has(in_force, Measure::pid_namespace) &&
         isolation::has(in_force, Measure::private_root);
}

tl::expected<CommandPolicy, ToolResult> command_policy(const Json& args, const isolation::MeasureSet& in_force,
                                                       NetworkMode network) {
  const auto require = strict_flag(args, "require_sandbox", false);
  if (!require) return tl::unexpected<ToolResult>(require.error());
  const auto allow_network = strict_flag(args, "allow_network", true);
  if (!allow_network) return tl::unexpected<ToolResult>(allow_network.error());
  CommandPolicy policy;
  policy.sandboxed = is_sandboxed(in_force);
  // A slot with a proxy reaches others, if not directly.
  policy.network_isolated = isolation::has(in_force, Measure::network_namespace) && network != NetworkMode::allow;
  if (*require && !policy.sandboxed) {
    return tl::unexpected<ToolResult>(
        refused_without_sandbox("Sandboxing required but bubblewrap is unavailable in this environment"));
  }
  if (!*allow_network && !policy.network_isolated) {
    if (!policy.sandboxed) {
      return tl::unexpected<ToolResult>(
          refused_without_sandbox("Network isolation requested but bubblewrap is unavailable in this environment"));
    }
    policy.cut_network = true;
    policy.network_isolated = true;
  }
  return policy;
}

std::vector<std::string> command_environment(const ContainerSpec& spec, const Execution& execution,
                                             const std::map<std::string, std::string>& more, bool cut_network) {
  // As container engines have it where the image says nothing.
  constexpr const char* kContainerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  constexpr const char* kMachinePath = "/usr/local/bin:/usr/bin:/bin";
  std::map<std::string, std::string> env{{"PATH", spec.root == RootMode::container ? kContainerPath : kMachinePath},
                                         {"LANG", "C.UTF-8"}};
  for (const auto& assignment : spec.image_env) {
    const auto sign = assignment.find('=');
    env[assignment.substr(0, sign)] = assignment.substr(sign + 1);
  }
  if (!cut_network) add_proxy_variables(spec, env);
  env["HOME"] = "/workspace";
  env["TMPDIR"] = "/tmp";
  for (const auto* layer : {&spec.env, &execution.call.env, &more}) {
    for (const auto& [name, value] : *layer) env[name] = value;
  }
  env["BERTH_EXECUTION"] = execution.call.id;
  std::vector<std::string> lines;
  lines.reserve(env.size());
  for (const auto& [name, value] : env) lines.push_back(name + "=" + value);
  return lines;
}

void add_proxy_variables(const ContainerSpec& spec, std::map<std::string, std::string>& env) {
  if (spec.slot.network != NetworkMode::allow) return;
  const std::string proxy = "http://127.0.0.1:" + std::to_string(isolation::kProxyPort);
  for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"}) env[name] = proxy;
  for (const char* name : {"no_proxy", "NO_PROXY"}) env[name] = "localhost,127.0.0.1,::1";
}

std::optional<std::map<std::string, std::string>> read_environment(const Json& value) {
  if (!value.is_object()) return std::nullopt;
  std::map<std::string, std::string> env;
  for (const auto& [name, text] : value.items()) {
    if (!text.is_string() || name.empty() || name.find('=') != std::string::npos ||
        name.find('\0') != std::string::npos)
      return std::nullopt;
    const auto& content = text.get_ref<const std::string&>();
    if (content.find('\0') != std::string::npos) return std::nullopt;
    env[name] = content;
  }
  return env;
}

}  // namespace berth::slotd
