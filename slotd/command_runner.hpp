// SPDX-License-Identifier: Apache-2.0
// Runs one command in a slot to its end: starts it, reads its output, enforces its limits, and leaves nothing of it
// behind.
#pragma once

#include <sys/resource.h>

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>

#include "berth/call.hpp"
#include "isolation/room.hpp"
#include "slotd/execution.hpp"
#include "slotd/slot_room.hpp"

namespace berth::slotd {

struct CommandLimits {
  Seconds timeout{30};  // from the start
  std::optional<std::uint64_t> output_kill_bytes;
};

struct CommandOutcome {
  Cause cause = Cause::exit;
  bool started = false;
  std::string problem;  // why it did not start, or was lost; empty otherwise
  std::optional<int> exit_code;
  std::optional<int> signal;
  int start_errno = 0;  // with `step`: what failed before exec
  std::string start_step;
  Duration setup{};  // from the wish to start it to the keeper having it
  Duration wall{};
  double cpu_milliseconds = 0;
  bool usage_from_group = false;
  std::optional<std::uint64_t> memory_peak_bytes;
  unsigned background_killed = 0;
};

// `stdin_fd` may be none. Cancelled by execution.cancel_requested + execution.notify().
[[nodiscard]] asio::awaitable<CommandOutcome> run_command(SlotRoom& room, std::shared_ptr<Execution> execution,
                                                          isolation::Command command, UniqueFd stdin_fd,
                                                          CommandLimits limits, std::function<void()> on_started = {});

// The outcome's share of a result's metadata.
void describe(const CommandOutcome& outcome, const Execution& execution, class Metadata& metadata);

}  // namespace berth::slotd
