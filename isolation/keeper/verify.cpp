// SPDX-License-Identifier: Apache-2.0
// A look at the finished slot from the inside, before anybody gets it.
#include <sys/prctl.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr const char* kSocketTables[] = {"net/tcp", "net/tcp6", "net/udp", "net/udp6", "net/unix"};

bool count_stranger(pid_t pid, void* context) {
  if (pid != ::getpid()) ++*static_cast<std::uint32_t*>(context);
  return true;
}

// Lines after the heading.
std::uint32_t count_sockets(const char* table) {
  const int fd = ::openat(state.proc, table, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;  // no IPv6 here
  std::uint32_t lines = 0;
  char text[1024];
  ssize_t size = 0;
  while ((size = ::read(fd, text, sizeof text)) > 0) {
    for (ssize_t i = 0; i < size; ++i) lines += text[i] == '\n' ? 1 : 0;
  }
  ::close(fd);
  return lines > 0 ? lines - 1 : 0;
}

std::uint32_t count_names(const char* path) {
  DIR* directory = ::opendir(path);
  if (directory == nullptr) die("listing the workspace");
  std::uint32_t names = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) ++names;
  }
  ::closedir(directory);
  return names;
}

}  // namespace

protocol::Built inspect() {
  protocol::Built built;
  built.measures = confirmed_measures();
  if (state.tagged) for_each_number(state.proc, count_stranger, &built.processes);
  built.workspace_entries = count_names(".");
  if (in_force(Measure::network_namespace)) {
    for (const char* table : kSocketTables) built.open_sockets += count_sockets(table);
  }
  return built;
}

}  // namespace berth::keeper
