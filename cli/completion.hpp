// SPDX-License-Identifier: Apache-2.0
// berth completion bash|zsh: made from the grammar itself, so that it knows every command and option.
#pragma once

#include "cli/args.hpp"

namespace berth::cli {

// Last, after every other command.
void add_completion_command(CLI::App& app, Chosen& chosen);

}  // namespace berth::cli
