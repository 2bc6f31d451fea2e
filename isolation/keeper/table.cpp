// SPDX-License-Identifier: Apache-2.0
#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

Command commands[kMaxCommands];
unsigned used = 0;  // entries below this may be in use; keeps walks short

}  // namespace

Command* commands_begin() {
  return commands;
}
Command* commands_end() {
  return commands + used;
}

Command* find_command(std::uint64_t id) {
  for (Command* command = commands_begin(); command != commands_end(); ++command) {
    if (command->in_use && command->id == id) return command;
  }
  return nullptr;
}

Command* find_by_pid(pid_t pid) {
  for (Command* command = commands_begin(); command != commands_end(); ++command) {
    if (command->in_use && command->pid == pid) return command;
  }
  return nullptr;
}

Command* add_command(std::uint64_t id) {
  if (find_command(id) != nullptr) return nullptr;
  Command* free = commands_begin();
  while (free != commands_end() && free->in_use) ++free;
  if (free == commands_end()) {
    if (used == kMaxCommands) return nullptr;
    ++used;
  }
  *free = Command{};
  free->id = id;
  free->in_use = true;
  return free;
}

void drop_command(Command* command) {
  command->in_use = false;
  while (used > 0 && !commands[used - 1].in_use) --used;
}

}  // namespace berth::keeper
