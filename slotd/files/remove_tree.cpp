// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/remove_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "slotd/files/directory.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

Directory open_below(int parent, const std::string& name) {
  int fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) {
    ::fchmodat(parent, name.c_str(), 0700, 0);
    fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  return Directory(fd < 0 ? nullptr : ::fdopendir(fd));
}

bool is_dot(const std::string& name) {
  return name == "." || name == "..";
}

// Deletes what is no directory; moves the directories that are left up into `top`, so that no depth is ever descended.
Expected<void> flatten(int top, const std::string& name, std::vector<std::string>& more) {
  const auto directory = open_below(top, name);
  if (!directory) return tl::unexpected<Error>(file_error(errno, name));
  const int fd = ::dirfd(directory.get());
  ::fchmod(fd, 0700);
  while (const auto* entry = ::readdir(directory.get())) {
    const std::string child = entry->d_name;
    if (is_dot(child) || ::unlinkat(fd, child.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (::unlinkat(fd, child.c_str(), AT_REMOVEDIR) == 0) continue;
    auto lifted = ".berth-removed-" + random_hex(8);
    if (::renameat(fd, child.c_str(), top, lifted.c_str()) != 0) {
      ::fchmodat(fd, child.c_str(), 0700, 0);  // a directory must be writable for its ".." to change
      if (::renameat(fd, child.c_str(), top, lifted.c_str()) != 0)
        return tl::unexpected<Error>(file_error(errno, child));
    }
    more.push_back(std::move(lifted));
  }
  if (::unlinkat(top, name.c_str(), AT_REMOVEDIR) != 0) return tl::unexpected<Error>(file_error(errno, name));
  return {};
}

}  // namespace

Expected<void> remove_tree(int parent, const std::string& name) {
  // O_PATH descriptors cannot be listed or renamed into by name of their children alone; a real one can.
  const UniqueFd top(::openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) return tl::unexpected<Error>(file_error(errno, name));
  std::vector<std::string> left{name};
  while (!left.empty()) {
    const auto next = std::move(left.back());
    left.pop_back();
    if (auto done = flatten(top.get(), next, left); !done) return done;
  }
  return {};
}

}  // namespace berth::slotd
