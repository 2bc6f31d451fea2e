// SPDX-License-Identifier: Apache-2.0
// Whoever shows or records a session's terminal. Called on the io_context's thread, synchronously: do little, never
// throw, and do not call back into the session.
#pragma once

#include <string>
#include <string_view>

#include "slotd/terminal/terminal_size.hpp"

namespace berth::slotd {

class TerminalListener {
 public:
  virtual ~TerminalListener() = default;
  // A new shell on a blank terminal.
  virtual void terminal_started(TerminalSize size) = 0;
  // What a terminal is to show, in order, in pieces of any size: line ends are CR LF, our own traffic is taken out.
  virtual void terminal_output(std::string_view bytes) = 0;
  // What the terminal answers to the program's questions in it: asked for after every output and typed for it, except
  // while run() has the terminal.
  [[nodiscard]] virtual std::string take_replies() = 0;
  virtual void terminal_resized(TerminalSize size) = 0;
  // The shell is gone; what it showed stays valid.
  virtual void terminal_ended() = 0;
};

}  // namespace berth::slotd
