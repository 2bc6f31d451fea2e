// SPDX-License-Identifier: Apache-2.0
// Killing all that a command started. Its uts namespace is the tag: inherited by setsid, double forks and daemons, and
// impossible to shed under the filter. Passes over /proc go on until one finds nothing; between two passes the main
// loop hears slotd and reaps, so that even a fork bomb does not deafen the keeper.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <time.h>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr std::size_t kMostPids = std::size_t{1} << 22;  // the kernel's own upper bound
constexpr std::int64_t kFirstWait = 100'000;             // ns
constexpr unsigned kDoublings = 5;
constexpr unsigned kEmptyPasses = 2;  // a process may fork behind the reader's back once
constexpr int kDeepest = 256;

unsigned char* signalled_pids = nullptr;  // one bit a pid, while kills go on: dying processes stay listed
unsigned quiet_passes = 0;
bool found_new = false;

bool mark(pid_t pid) {
  if (signalled_pids == nullptr || static_cast<std::size_t>(pid) >= kMostPids) return true;
  unsigned char& byte = signalled_pids[pid / 8];
  const auto bit = static_cast<unsigned char>(1U << (pid % 8));
  const bool is_new = (byte & bit) == 0;
  byte = static_cast<unsigned char>(byte | bit);
  return is_new;
}

void strike(pid_t pid, Command& command) {
  if (::kill(pid, SIGKILL) != 0) return;
  command.seen_in_pass = true;
  if (!mark(pid)) return;
  ++command.signalled;
  found_new = true;
}

Command* first_killing() {
  for (Command* command = commands_begin(); command != commands_end(); ++command) {
    if (command->in_use && command->killing) return command;
  }
  return nullptr;
}

Command* killing_by_tag(std::uint64_t tag) {
  for (Command* command = commands_begin(); command != commands_end(); ++command) {
    if (command->in_use && command->killing && command->tag == tag) return command;
  }
  return nullptr;
}

Command* if_killing(Command* command) {
  return command != nullptr && command->killing ? command : nullptr;
}

struct ThreadSearch {
  char path[64];
  char* number;
  std::uint64_t tag;
};

bool visit_thread(pid_t thread, void* context) {
  auto& search = *static_cast<ThreadSearch*>(context);
  std::memcpy(write_number(search.number, static_cast<std::uint64_t>(thread)), "/ns/uts", 8);
  search.tag = namespace_of(search.path);
  return search.tag == 0;
}

// A first thread that has ended shows no namespace, though its process may live on in the others.
std::uint64_t tag_of_threads(const char* pid_text) {
  ThreadSearch search{};
  char* end = ::stpcpy(::stpcpy(search.path, pid_text), "/task");
  const int directory = ::openat(state.proc, search.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return 0;
  *end++ = '/';
  search.number = end;
  for_each_number(directory, visit_thread, &search);
  ::close(directory);
  return search.tag;
}

Command* owner_by_tag(pid_t pid) {
  char path[64];
  char* end = write_number(path, static_cast<std::uint64_t>(pid));
  std::memcpy(end, "/ns/uts", 8);
  std::uint64_t tag = namespace_of(path);
  if (tag == 0 && (errno == EACCES || errno == EPERM)) {
    // Unreadable: counted as belonging to what is being killed, unless it is known to be something else.
    Command* main = find_by_pid(pid);
    return main != nullptr ? if_killing(main) : first_killing();
  }
  *end = 0;
  if (tag == 0) tag = tag_of_threads(path);
  return tag == 0 ? nullptr : killing_by_tag(tag);
}

// Without tags: the main process that it descends from; for an orphan its session, else whatever is being killed.
Command* owner_by_ancestry(pid_t pid) {
  pid_t session = 0;
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (Command* main = find_by_pid(pid); main != nullptr) return if_killing(main);
    pid_t parent = 0;
    pid_t own_session = 0;
    if (!read_stat(pid, parent, own_session)) return nullptr;
    if (depth == 0) session = own_session;
    if (parent == ::getpid()) {
      Command* leader = find_by_pid(session);
      return leader != nullptr ? if_killing(leader) : first_killing();
    }
    if (parent <= 1) return nullptr;
    pid = parent;
  }
  return nullptr;
}

bool visit_process(pid_t pid, void*) {
  if (pid == ::getpid()) return true;
  if (Command* command = state.tagged ? owner_by_tag(pid) : owner_by_ancestry(pid); command != nullptr) {
    strike(pid, *command);
  }
  return true;
}

bool is_childless() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

void post_killed(Command& command) {
  protocol::Killed message;
  message.command = command.id;
  message.processes = command.signalled;
  post(&message, sizeof message);
  drop_command(&command);
}

void finish_kills(bool childless) {
  for (Command* command = commands_begin(); command < commands_end(); ++command) {
    if (!command->in_use || !command->killing) continue;
    command->empty_passes = command->seen_in_pass ? 0 : command->empty_passes + 1;
    const bool over = childless || (command->pid == 0 && command->empty_passes >= kEmptyPasses);
    if (over && command->pid == 0) post_killed(*command);
  }
}

void end_sweep() {
  if (signalled_pids != nullptr) ::munmap(signalled_pids, kMostPids / 8);
  signalled_pids = nullptr;
}

bool visit_descendant(pid_t pid, void*) {
  const pid_t victim = pid;
  for (int depth = 0; depth < kDeepest && pid > 1; ++depth) {
    pid_t parent = 0;
    pid_t session = 0;
    if (!read_stat(pid, parent, session)) return true;
    if (parent == ::getpid()) {
      ::kill(victim, SIGKILL);
      return true;
    }
    pid = parent;
  }
  return true;
}

}  // namespace

void begin_kill(std::uint64_t id) {
  Command* command = find_command(id);
  if (command == nullptr || (command->pid == 0 && state.tagged && command->tag == 0)) {
    protocol::Killed message;
    message.command = id;
    post(&message, sizeof message);
    if (command != nullptr) drop_command(command);
    return;
  }
  if (signalled_pids == nullptr) {
    void* pages = ::mmap(nullptr, kMostPids / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signalled_pids = pages == MAP_FAILED ? nullptr : static_cast<unsigned char*>(pages);  // only the count needs it
  }
  command->killing = true;
  command->empty_passes = 0;
  quiet_passes = 0;
}

std::int64_t sweep() {
  if (first_killing() == nullptr) return -1;
  for (Command* command = commands_begin(); command != commands_end(); ++command) command->seen_in_pass = false;
  found_new = false;
  const bool childless = is_childless();
  if (!childless) for_each_number(state.proc, visit_process, nullptr);
  bool seen = false;
  for (Command* command = commands_begin(); command != commands_end(); ++command) seen |= command->seen_in_pass;
  if (!posts_full()) finish_kills(childless);
  if (first_killing() == nullptr) {
    end_sweep();
    return -1;
  }
  if (found_new) quiet_passes = 0;
  if (found_new || (!seen && quiet_passes == 0)) {
    if (!found_new) ++quiet_passes;
    return 0;
  }
  return kFirstWait << (quiet_passes < kDoublings ? quiet_passes++ : kDoublings);
}

void end_everything() {
  const timespec pause{0, kFirstWait};
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (is_childless()) return;
    for_each_number(state.proc, visit_descendant, nullptr);
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace berth::keeper
