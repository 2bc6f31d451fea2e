// SPDX-License-Identifier: Apache-2.0
// What slotd says to a shell and hears from it. Any POSIX shell understands it: dash, busybox, bash. Pure.
//
// The shell holds three descriptors beside its standard ones: the terminal, the control socket and the text of the
// command. While a command runs the first two are saved by the shell where no program can inherit them, so that nobody
// but the shell itself can say how the command ended. Each report names a secret that was given for this command alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slotd/session/prompt_filter.hpp"
#include "slotd/session/session_command.hpp"

namespace berth::slotd {

// Started with the terminal as input, the control socket as output and the text as error.
[[nodiscard]] std::vector<std::string> shell_argv();

// The text a new shell reads first: its prompts, with marks.
[[nodiscard]] std::string setup_text(const PromptFilter& filter);

// One line to type at a prompt: reports `secret` and waits for commands from then on. `first`: reads the text before.
[[nodiscard]] std::string waiting_line(std::string_view secret, bool first);

// To a waiting shell: run the text.
[[nodiscard]] std::string run_message(std::string_view secret);
// To a waiting shell: back to the prompt, which gets its mark again if the slot has changed it.
[[nodiscard]] std::string prompt_message(const PromptFilter& filter);

struct Report {
  std::string secret;
  int status = 0;
};
// A line of the control socket without its end; nothing when it is not one.
[[nodiscard]] std::optional<Report> parse_report(std::string_view line);

[[nodiscard]] bool are_variable_names(const std::map<std::string, std::string>& variables);
// The file that makes a waiting shell run the command; `status` is what $? is at its beginning.
[[nodiscard]] std::string command_text(const SessionCommand& command, int status);

// LF becomes CR LF, as a terminal does it.
[[nodiscard]] std::string with_carriage_returns(std::string_view text);

}  // namespace berth::slotd
