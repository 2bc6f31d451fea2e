// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

struct DirectoryEntry {  // what getdents64 writes
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

}  // namespace

char* write_number(char* to, std::uint64_t value) {
  char digits[20];
  unsigned count = 0;
  do digits[count++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (count > 0) *to++ = digits[--count];
  return to;
}

std::uint64_t namespace_of(const char* path) {
  char text[64];
  const ssize_t size = ::readlinkat(state.proc, path, text, sizeof text - 1);
  if (size < 0) return 0;
  text[size] = 0;
  const char* number = std::strchr(text, '[');
  return number == nullptr ? 0 : std::strtoull(number + 1, nullptr, 10);
}

bool read_stat(pid_t pid, pid_t& parent, pid_t& session) {
  char path[32];
  std::memcpy(write_number(path, static_cast<std::uint64_t>(pid)), "/stat", 6);
  const int fd = ::openat(state.proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[512];
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (size <= 0) return false;
  text[size] = 0;
  // The name in parentheses may hold anything; the last parenthesis ends it: ") S PARENT GROUP SESSION".
  char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] == 0) return false;
  at += 3;
  parent = static_cast<pid_t>(std::strtol(at, &at, 10));
  std::strtol(at, &at, 10);
  session = static_cast<pid_t>(std::strtol(at, &at, 10));
  return true;
}

bool for_each_number(int directory, bool (*visit)(pid_t pid, void* context), void* context) {
  alignas(DirectoryEntry) char listing[2048];
  if (::lseek(directory, 0, SEEK_SET) != 0) return false;
  for (;;) {
    const long size = ::syscall(SYS_getdents64, directory, listing, sizeof listing);
    if (size <= 0) return size == 0;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const DirectoryEntry*>(listing + at);
      at += entry->size;
      if (entry->name[0] < '1' || entry->name[0] > '9') continue;
      if (!visit(static_cast<pid_t>(std::strtol(entry->name, nullptr, 10)), context)) return true;
    }
  }
}

}  // namespace berth::keeper
