// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr unsigned kReapedAtOnce = 256;  // a fork bomb's orphans must not keep us from the control socket

protocol::Exited exits[kReapedAtOnce];

void post_start_failed(std::uint64_t id, int error_number, const char* step) {
  protocol::StartFailed message;
  message.command = id;
  message.error_number = error_number;
  std::strncpy(message.step, step, sizeof message.step - 1);
  post(&message, sizeof message);
}

// A namespace number is free again once its last process is gone; when a new command shows the number of an old one,
// nothing of the old one can be alive.
void forget_tag(std::uint64_t tag) {
  for (Command* command = commands_begin(); command != commands_end(); ++command) {
    if (command->in_use && command->tag == tag) command->tag = 0;
  }
}

// Whether a child of ours is anything but the main process of a command. An orphan of any command becomes our child in
// the moment in which its parent ends, so this is exact once wait4 has nothing left to report.
bool has_stray_children() {
  const int fd = ::openat(state.proc, "thread-self/children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;  // this kernel does not tell
  char text[512];
  pid_t pid = 0;
  bool stray = false;
  ssize_t size = 0;
  while (!stray && (size = ::read(fd, text, sizeof text)) > 0) {
    for (ssize_t i = 0; i < size && !stray; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid != 0) {
        stray = find_by_pid(pid) == nullptr;
        pid = 0;
      }
    }
  }
  ::close(fd);
  return stray;
}

void post_exits(unsigned count, bool others_alive) {
  for (unsigned i = 0; i < count; ++i) {
    exits[i].others_alive = others_alive ? 1 : 0;
    post(&exits[i], sizeof exits[i]);
  }
  if (others_alive) return;
  for (Command* command = commands_begin(); command < commands_end(); ++command) {
    if (command->in_use && command->pid == 0 && !command->killing) drop_command(command);
  }
}

}  // namespace

void start_command(const Packet& packet) {
  protocol::Start fixed;
  if (!protocol::Reader(packet.data, packet.size).take(fixed)) return;
  Command* command = posts_full() ? nullptr : add_command(fixed.command);
  if (command == nullptr) return post_start_failed(fixed.command, EBUSY, "command");
  const Launch launched = launch(packet);
  if (launched.error_number != 0) {
    drop_command(command);
    return post_start_failed(fixed.command, launched.error_number, launched.step);
  }
  forget_tag(launched.tag);
  command->tag = launched.tag;
  command->pid = launched.pid;
}

void signal_command(const protocol::Signal& message) {
  const Command* command = find_command(message.command);
  if (command != nullptr && command->pid > 0) ::kill(-command->pid, message.number);
}

void signal_foreground(const protocol::SignalForeground& message, const Packet& packet) {
  pid_t group = 0;
  if (packet.fd_count != 1 || ::ioctl(packet.fds[0], TIOCGPGRP, &group) != 0) return;
  // 0: its processes are in another pid namespace, or gone; 1 would be the keeper itself.
  if (group > 1) ::kill(-group, message.number);
}

bool reap() {
  unsigned ended = 0;
  unsigned reaped = 0;
  pid_t pid = 0;
  for (; reaped < kReapedAtOnce && !posts_full(); ++reaped) {
    protocol::Exited& slot = exits[ended];
    slot = protocol::Exited{};
    pid = ::wait4(-1, &slot.wait_status, WNOHANG, &slot.usage);
    if (pid <= 0) break;
    Command* command = find_by_pid(pid);
    if (command == nullptr) continue;  // an orphan
    slot.command = command->id;
    command->pid = 0;
    ++ended;
  }
  const bool more = pid > 0;
  const bool childless = pid < 0 && errno == ECHILD;
  if (ended > 0 || childless) post_exits(ended, !childless && (more || has_stray_children()));
  return more;
}

}  // namespace berth::keeper
