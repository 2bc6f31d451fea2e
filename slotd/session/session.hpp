// SPDX-License-Identifier: Apache-2.0
// The live shell of one slot on its one terminal, shared by bash_stateful and tmux (wire.md 1.15). The slot owns it for
// life; the shell in it starts on demand, ends by `exit`, stop(), a reset or a lost room, and may start again.
//
// The shell is always one of two things. In command mode it waits on a descriptor that only the shell itself holds, and
// sources what run() hands it: nothing is typed, echoed or prompted. In key mode it sits at its own prompt and reads
// the terminal, as a person would find it. run(), write() and show_prompt() change the mode as needed.
//
// Single-threaded; calls of one slot come one after the other (its queue), only stop() may come at any time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "berth/call.hpp"
#include "berth/error.hpp"
#include "slotd/execution.hpp"
#include "slotd/session/session_command.hpp"
#include "slotd/slot_room.hpp"
#include "slotd/terminal/terminal_listener.hpp"

namespace berth::slotd {

struct SessionWish {
  std::vector<std::string> env;      // NAME=value, of the shell at its start
  bool no_network = false;           // another value than the live shell's ends that shell and starts a new one
  std::optional<TerminalSize> size;  // none: as it is, or the default
};

// How a command handed to run() ended.
struct SessionOutcome {
  Cause cause = Cause::exit;  // exit, signal, timeout, cancelled, isolation
  bool started = false;
  std::optional<int> exit_code;  // as the shell says; none where nobody knows it
  bool session_kept = true;      // the shell lives on
  std::string problem;           // for Cause::isolation
  Duration wall{};
};

class Session {
 public:
  Session(const asio::any_io_executor& executor, SlotRoom& room);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // A shell lives.
  [[nodiscard]] bool live() const;
  [[nodiscard]] TerminalSize size() const;
  // Grows with every shell that is started; 0 before the first.
  [[nodiscard]] std::uint64_t generation() const;

  // Starts a shell unless a fitting one lives; true: it is a new one. Errors: "no_shell" (the image has no /bin/sh;
  // message "no shell in image"), "isolation", "timeout".
  [[nodiscard]] asio::awaitable<Expected<bool>> ensure(SessionWish wish, Deadline deadline);

  // Hands one command of any shell text over and waits for its end. Its output goes to execution->stdout_ring, byte for
  // byte as it was written. Cancelled by execution->cancel_requested + notify(). Call ensure() first.
  [[nodiscard]] asio::awaitable<SessionOutcome> run(SessionCommand command, Deadline deadline,
                                                    std::shared_ptr<Execution> execution);

  // Keys, as the bytes that a keyboard sends (Enter is "\r"). Returns once the terminal has taken them. Whatever is in
  // the foreground gets them; at the prompt, the shell.
  [[nodiscard]] asio::awaitable<Expected<void>> write(std::string bytes, Deadline deadline);

  // Waits until the shell is back at its prompt and everything written was read. Enough for "block": false at the
  // deadline, when the shell is gone or when `execution` is cancelled.
  [[nodiscard]] asio::awaitable<bool> wait_for_prompt(Deadline deadline, std::shared_ptr<Execution> execution);

  // Lets the shell show its prompt if it waits in command mode; returns when all it wrote so far went to the listener.
  [[nodiscard]] asio::awaitable<void> show_prompt(Deadline deadline);

  // Clamped. The foreground gets SIGWINCH.
  void resize(TerminalSize size);

  // Ends the shell and everything that was started from it.
  [[nodiscard]] asio::awaitable<void> stop();

  // The screen and recording of the slot; lives as long as the session, over all shells.
  void set_listener(std::unique_ptr<TerminalListener> listener);
  [[nodiscard]] TerminalListener* listener() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace berth::slotd
