// SPDX-License-Identifier: Apache-2.0
// The command line of `berth`.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.hpp"
#include "cli/args.hpp"
#include "cli/options.hpp"

namespace {

using namespace berth::cli;  // NOLINT: the program's own namespace, in its main file

int missing_command(const CLI::App& app) {
  std::string names;
  for (const CLI::App* each : app.get_subcommands({})) names += (names.empty() ? "" : ", ") + each->get_name();
  std::fprintf(stderr, "A command is required: %s\nRun with --help for more information.\n", names.c_str());
  return kUsage;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Berth: isolated slots for tool calls, in containers that are already running", "berth");
  app.require_subcommand(0, 1);  // none is told below, so that an unknown option is named first
  app.set_version_flag("--version", "berth " BERTH_VERSION);
  Chosen chosen;
  add_local_commands(app, chosen);
  add_agent_command(app, chosen);
  add_remote_commands(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kSuccess : kUsage;
  }
  return chosen ? chosen() : missing_command(app);
}

}  // namespace

int main(int argc, char** argv) {
  berth::configure_log(berth::LogLevel::warning, berth::LogFormat::text);
  return parse_and_run(argc, argv);
}
