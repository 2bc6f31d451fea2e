// SPDX-License-Identifier: Apache-2.0
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr struct {
  unsigned long reported;
  unsigned long flag;
} kKept[] = {{ST_RDONLY, MS_RDONLY},    {ST_NOSUID, MS_NOSUID},   {ST_NODEV, MS_NODEV},
             {ST_NOEXEC, MS_NOEXEC},    {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME},
             {ST_RELATIME, MS_RELATIME}};

}  // namespace

Path::Path(const char* first, const char* second, const char* third, const char* fourth) {
  char* to = text;
  for (const char* part : {first, second, third, fourth}) {
    const std::size_t size = std::strlen(part);
    if (size >= static_cast<std::size_t>(text + sizeof text - to)) {
      errno = ENAMETOOLONG;
      die("composing a path");
    }
    to = static_cast<char*>(std::memcpy(to, part, size)) + size;
  }
  *to = 0;
}

void make_directory(const char* path, mode_t mode) {
  if (::mkdir(path, mode) != 0 && errno != EEXIST) die(Path("making ", path));
  if (::chmod(path, mode) != 0) die(Path("setting the mode of ", path));
}

void bind(const char* source, const char* target, bool recursive) {
  if (::mount(source, target, nullptr, recursive ? MS_BIND | MS_REC : MS_BIND, nullptr) != 0) {
    die(Path("binding ", source));
  }
}

void restrict_mount(const char* target, unsigned long flags) {
  struct statfs now {};
  if (::statfs(target, &now) != 0) die(Path("looking at ", target));
  for (const auto& kept : kKept) {
    if ((static_cast<unsigned long>(now.f_flags) & kept.reported) != 0) flags |= kept.flag;
  }
  if (::mount(nullptr, target, nullptr, MS_BIND | MS_REMOUNT | flags, nullptr) != 0) die(Path("restricting ", target));
}

}  // namespace berth::keeper
