// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// Dispositions and mask are inherited by every command, so they are made those of a fresh login.
int take_over_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const int fd = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) die("signalfd");
  return fd;
}

// 0, 1 and 2 become the slot's own /dev/null: nothing of slotd's stays open, and a command without input inherits it.
void replace_standard_descriptors() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) die("opening /dev/null");
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(null, fd) != fd) die("replacing descriptors");
  }
  ::close(null);
}

void open_proc() {
  const char* where = "/proc";
  if (state.isolated && in_force(Measure::pid_namespace) && !in_force(Measure::fresh_proc)) {
    // Commands see another procfs (the measure was dropped); ours is mounted, opened and taken away again.
    where = "/tmp";
    if (::mount("proc", where, "proc", 0, nullptr) != 0) die("mounting proc for the keeper");
  }
  state.proc = ::open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (state.proc < 0) die("opening /proc");
  if (where[1] == 't' && ::umount2(where, MNT_DETACH) != 0) die("hiding the keeper's proc");
}

void fail_build(const char* step) {
  die(step);
}

void build(const Description& description) {
  const auto& fixed = description.fixed;
  state.measures = fixed.measures;
  state.isolated = fixed.isolated != 0;
  state.tagged = state.isolated && ::getpid() == 1;
  state.uid = fixed.uid;
  state.gid = fixed.gid;
  state.group_count = fixed.group_count;
  std::memcpy(state.groups, fixed.groups, sizeof state.groups);
  if (in_force(Measure::hidden_keeper) && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) die("hiding the keeper");
  if (::getpid() != 1 && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) die("becoming the subreaper");
  ::umask(022);
  if (state.isolated) {
    if (in_force(Measure::network_namespace)) raise_loopback(fail_build);
    if (in_force(Measure::uts_namespace) && ::sethostname(description.slot, std::strlen(description.slot)) != 0) {
      die("setting the host name");
    }
    build_root(description);
  }
  open_proc();
  replace_standard_descriptors();
  if (::chdir(state.isolated ? "/workspace" : description.workspace) != 0) die("entering the workspace");
  set_limits(description);
  drop_privileges(description);
}

void report_built(std::uint32_t proxy_port) {
  const protocol::Built built = inspect();
  int fds[4] = {::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (fds[0] < 0 || fds[1] < 0) die("opening the root");
  unsigned count = 2;
  if (state.isolated) {
    fds[count] = ::openat(state.proc, "thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (fds[count++] < 0) die("opening the mount namespace");
  }
  // After the look at the slot, which must have found no socket.
  if (proxy_port != 0) fds[count++] = listen_on_loopback(static_cast<std::uint16_t>(proxy_port));
  if (!post_with_fds(&built, sizeof built, fds, count)) ::_exit(1);
  for (unsigned i = 0; i < count; ++i) ::close(fds[i]);
  if (::chdir("/") != 0) die("entering /");  // the workspace must not be busy because of us
}

void obey(const Packet& packet) {
  protocol::Header header;
  if (!protocol::Reader(packet.data, packet.size).take(header)) return;
  protocol::Signal signal;
  protocol::SignalForeground foreground;
  protocol::KillAll kill;
  if (header.kind == protocol::Kind::start) {
    start_command(packet);
  } else if (protocol::parse(packet.data, packet.size, protocol::Kind::signal, signal)) {
    signal_command(signal);
  } else if (protocol::parse(packet.data, packet.size, protocol::Kind::signal_foreground, foreground)) {
    signal_foreground(foreground, packet);
  } else if (protocol::parse(packet.data, packet.size, protocol::Kind::kill_all, kill)) {
    begin_kill(kill.command);
  }
}

[[noreturn]] void leave() {
  if (::getpid() != 1) end_everything();
  ::_exit(0);
}

void hear(Packet& packet) {
  const Received received = receive(packet, false);
  if (received == Received::closed) leave();
  if (received == Received::nothing) return;
  obey(packet);
  for (unsigned i = 0; i < packet.fd_count; ++i) ::close(packet.fds[i]);
}

[[noreturn]] void run(int signals) {
  static Packet packet;
  std::int64_t wait = -1;
  for (;;) {
    const short wanted = posts_waiting() ? POLLIN | POLLOUT : POLLIN;
    pollfd sources[] = {{kControl, wanted, 0}, {signals, POLLIN, 0}};
    const timespec timeout{wait / kSecond, wait % kSecond};
    ::ppoll(sources, 2, wait < 0 ? nullptr : &timeout, nullptr);
    if ((sources[0].revents & POLLOUT) != 0) flush_posts();
    bool more = false;
    signalfd_siginfo ended;
    if ((sources[1].revents & POLLIN) != 0 && ::read(signals, &ended, sizeof ended) < 0 && errno != EAGAIN) leave();
    if (sources[1].revents != 0 || wait >= 0) more = reap();
    if ((sources[0].revents & ~POLLOUT) != 0) hear(packet);
    wait = sweep();
    if (more) wait = 0;
  }
}

}  // namespace
}  // namespace berth::keeper

int main() {
  using namespace berth::keeper;
  const int signals = take_over_signals();
  static Packet packet;
  Description description;
  if (receive(packet, true) != Received::packet || !read_description(packet, description)) {
    errno = EPROTO;
    die("reading the description");
  }
  build(description);
  for (unsigned i = 0; i < packet.fd_count; ++i) ::close(packet.fds[i]);
  report_built(description.fixed.proxy_port);
  run(signals);
}
