// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>
#include <span>

#include "agent/config/keys.hpp"
#include "cli/args.hpp"
#include "cli/options.hpp"

namespace berth::cli {
namespace {

// Flags of keys are given to the configuration as they are, which knows what they may hold.
void add_flag_of(CLI::App& command, const agent::KeySource& source, AgentOptions& options) {
  if (source.flag.empty()) return;
  const std::string flag(source.flag);
  command
      .add_option_function<std::string>(
          flag, [&options, flag](const std::string& value) { options.flags.insert_or_assign(flag, value); },
          "the key " + std::string(source.key) + " of the configuration")
      ->type_name("VALUE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

}  // namespace

void add_agent_command(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<AgentOptions>();
  CLI::App* agent = app.add_subcommand("agent", "serve slots over HTTP until SIGTERM");
  agent->add_option("--config", options->file, "the configuration file")->type_name("FILE");
  for (const agent::KeySource& each : agent::key_sources()) add_flag_of(*agent, each, *options);
  agent->add_flag("--print-config", options->print, "show every value with where it comes from, and end");
  agent->add_flag("--json", options->json, "with --print-config: as JSON");
  agent->footer(
      "SIGHUP reads tokens, jobs and the log's level and format again; SIGTERM drains and ends, a second one at once.\n"
      "Exit codes: 0 stopped as asked, 2 bad usage or bad configuration, 3 it could not start or left something.\n"
      "Example: berth agent --config examples/agent.yaml");
  agent->callback([options, &chosen] { chosen = [options] { return agent_command(*options); }; });
}

}  // namespace berth::cli
