// SPDX-License-Identifier: Apache-2.0
// The command line's grammar, in groups. Each function adds its commands; the one that the user typed sets `chosen`,
// which main then runs and whose value is the exit code.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace berth::cli {

using Chosen = std::function<int()>;

void add_local_commands(CLI::App& app, Chosen& chosen);   // run, exec, validate, schema, version
void add_agent_command(CLI::App& app, Chosen& chosen);    // agent
void add_remote_commands(CLI::App& app, Chosen& chosen);  // what talks to an agent

}  // namespace berth::cli
