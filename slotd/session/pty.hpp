// SPDX-License-Identifier: Apache-2.0
// A pseudo-terminal out of a slot's own instance of devpts: no other slot has a name for it, and nothing is taken from
// the machine's own terminals. All calls are short and never wait.
#pragma once

#include "base/fd.hpp"
#include "berth/error.hpp"
#include "isolation/room.hpp"
#include "slotd/terminal/terminal_size.hpp"

namespace berth::slotd {

struct Pty {
  UniqueFd master;  // ours, non-blocking
  UniqueFd slave;   // for the command
};
[[nodiscard]] Expected<Pty> open_pty(const isolation::Room& room, TerminalSize size);

// What the terminal does with bytes on their way.
struct LineDiscipline {
  bool echo = true;      // shows what is typed
  bool crlf_out = true;  // a line feed goes out as CR LF
};
// `master`; everything else stays as the slot has set it.
void set_line_discipline(int master, LineDiscipline wanted);
void set_terminal_size(int master, TerminalSize size);
// The session's leader itself is in the foreground, and none of its jobs.
[[nodiscard]] bool leader_in_foreground(int master);
// Typed, but not read by anybody yet.
void drop_unread_keys(int master);

}  // namespace berth::slotd
