// SPDX-License-Identifier: Apache-2.0
#include "slotd/session/pty.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <termios.h>

#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

constexpr unsigned kMultiplexerMajor = 5;
constexpr unsigned kMultiplexerMinor = 2;

// The slot's processes may have put anything under this name; what was opened is looked at, not the name.
Expected<UniqueFd> open_multiplexer(int root) {
  open_how how{};
  how.flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root, "dev/ptmx", &how, sizeof how)));
  if (!fd) return fail_errno("opening the slot's /dev/ptmx", errno);
  struct stat facts {};
  const bool right = ::fstat(fd.get(), &facts) == 0 && S_ISCHR(facts.st_mode) &&
                     facts.st_rdev == makedev(kMultiplexerMajor, kMultiplexerMinor);
  if (!right) return fail("isolation", "the slot's /dev/ptmx is not a terminal multiplexer", "reset the slot");
  return fd;
}

}  // namespace

Expected<Pty> open_pty(const isolation::Room& room, TerminalSize size) {
  const FsIdentity owner(room);  // the terminal belongs to the slot's root
  auto master = open_multiplexer(room.root_fd());
  if (!master) return tl::unexpected<Error>(master.error());
  int locked = 0;
  if (::ioctl(master->get(), TIOCSPTLCK, &locked) != 0) return fail_errno("unlocking a terminal", errno);
  UniqueFd slave(::ioctl(master->get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return fail_errno("opening a terminal", errno);
  set_terminal_size(master->get(), size);
  return Pty{std::move(*master), std::move(slave)};
}

void set_line_discipline(int master, LineDiscipline wanted) {
  termios now{};
  if (::tcgetattr(master, &now) != 0) return;
  termios next = now;
  next.c_iflag |= IUTF8;
  next.c_lflag = wanted.echo ? next.c_lflag | ECHO : next.c_lflag & ~static_cast<tcflag_t>(ECHO);
  next.c_oflag = wanted.crlf_out ? next.c_oflag | OPOST | ONLCR : next.c_oflag & ~static_cast<tcflag_t>(ONLCR);
  const bool same = next.c_iflag == now.c_iflag && next.c_lflag == now.c_lflag && next.c_oflag == now.c_oflag;
  if (!same) ::tcsetattr(master, TCSANOW, &next);
}

void set_terminal_size(int master, TerminalSize size) {
  winsize wanted{};
  wanted.ws_col = static_cast<unsigned short>(size.columns);
  wanted.ws_row = static_cast<unsigned short>(size.rows);
  ::ioctl(master, TIOCSWINSZ, &wanted);
}

bool leader_in_foreground(int master) {
  pid_t group = 0;
  pid_t session = 0;
  return ::ioctl(master, TIOCGPGRP, &group) == 0 && ::ioctl(master, TIOCGSID, &session) == 0 && group == session;
}

void drop_unread_keys(int master) {
  ::tcflush(master, TCOFLUSH);
}

}  // namespace berth::slotd
