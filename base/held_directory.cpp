// SPDX-License-Identifier: Apache-2.0
#include "base/held_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

namespace berth {
namespace {

bool has_name(const UniqueFd& directory, const std::string& path) {
  struct stat held {
  }, named{};
  return ::fstat(directory.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

tl::expected<UniqueFd, int> hold_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return tl::unexpected(errno);
  if (!has_name(fd, path)) return tl::unexpected(ESTALE);
  return fd;
}

}  // namespace berth
