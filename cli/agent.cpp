// SPDX-License-Identifier: Apache-2.0
// `berth agent`
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "agent/daemon/daemon.hpp"
#include "base/fd.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {
namespace {

agent::ConfigSources sources_of(const AgentOptions& options) {
  agent::ConfigSources sources;
  sources.file = options.file;
  sources.flags = options.flags;
  sources.environment = [](const char* name) -> const char* { return std::getenv(name); };
  std::error_code ignored;
  sources.current_folder = std::filesystem::current_path(ignored).string();
  sources.root = ::geteuid() == 0;
  return sources;
}

// What somebody wrote is wrong, as against what the machine does not give.
bool is_bad_configuration(const Error& error) {
  constexpr std::array<std::string_view, 9> kCodes{
      "bad_listen", "tokens_needed", "bad_tokens",      "not_here",        "jobs",
      "state_dir",  "tls",           "bad_docker_host", "docker_elsewhere"};
  return std::find(kCodes.begin(), kCodes.end(), error.code) != kCodes.end();
}

}  // namespace

int agent_command(const AgentOptions& options) {
  const agent::ConfigSources sources = sources_of(options);
  auto config = agent::load_config(sources);
  if (!config) {
    for (const jobs::Diagnostic& each : config.error())
      std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
    return kUsage;
  }
  if (options.print) {
    const std::string text = options.json ? agent::print_config_json(*config) + "\n" : agent::print_config(*config);
    return write_all(STDOUT_FILENO, text) ? kSuccess : kPlatform;
  }
  agent::DaemonOptions daemon;
  daemon.config = std::move(*config);
  daemon.reload = [sources] { return agent::load_config(sources); };
  daemon.version = BERTH_VERSION;
  const auto ended = agent::run_daemon(std::move(daemon));
  if (ended) return kSuccess;
  print_error(ended.error());
  return is_bad_configuration(ended.error()) ? kUsage : kPlatform;
}

}  // namespace berth::cli
