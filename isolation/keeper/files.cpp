// SPDX-License-Identifier: Apache-2.0
// Regular files at the top of an image: they have no directory of their own to lay an overlay above.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr off_t kLargestCopy = off_t{64} << 10;  // a copy takes room on the slot's disk

int make_file(const char* path) {
  const int file = ::open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) die(Path("making ", path));
  return file;
}

void copy_bytes(int from, int to, const char* target) {
  ssize_t sent = 0;
  while ((sent = ::sendfile(to, from, nullptr, static_cast<std::size_t>(kLargestCopy))) > 0) {
  }
  if (sent < 0) die(Path("copying to ", target));
}

void copy_file(int from, const struct stat& info, const char* target) {
  const int to = make_file(target);
  copy_bytes(from, to, target);
  if (::fchown(to, info.st_uid, info.st_gid) != 0) die(Path("giving away ", target));
  if (::fchmod(to, info.st_mode & 07777) != 0) die(Path("setting the mode of ", target));
  ::close(to);
}

}  // namespace

void show_file(const char* source, const char* target, int tree) {
  if (tree >= 0) {
    ::close(make_file(target));
    if (::move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0) die(Path("placing ", source));
    return restrict_mount(target, MS_RDONLY | MS_NOSUID | MS_NODEV);
  }
  const int from = ::open(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat info {};
  if (from < 0 || ::fstat(from, &info) != 0) die(Path("looking at ", source));
  if (S_ISREG(info.st_mode) && info.st_size <= kLargestCopy) {
    copy_file(from, info, target);
  } else {
    ::close(make_file(target));
    bind(source, target, false);
    restrict_mount(target, MS_RDONLY | MS_NOSUID | MS_NODEV);
  }
  ::close(from);
}

}  // namespace berth::keeper
