// SPDX-License-Identifier: Apache-2.0
// Copies of directories that cannot be shown in place. They are read before any slot exists, so nothing in them changes
// meanwhile.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "isolation/layout.hpp"

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;

// Compiled files of many languages name the time of their source.
void keep_times(const struct stat& of, const fs::path& copy) {
  const timespec times[] = {of.st_atim, of.st_mtim};
  (void)::utimensat(AT_FDCWD, copy.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

Expected<void> keep_facts(const struct stat& of, const fs::path& copy) {
  if (::lchown(copy.c_str(), of.st_uid, of.st_gid) != 0) return fail_errno("chown " + copy.string(), errno);
  if (!S_ISLNK(of.st_mode) && ::chmod(copy.c_str(), of.st_mode & 07777) != 0) {
    return fail_errno("chmod " + copy.string(), errno);
  }
  keep_times(of, copy);
  return {};
}

class TreeCopy {
 public:
  explicit TreeCopy(std::uint64_t most_bytes) : left_(most_bytes), most_(most_bytes) {}

  Expected<void> directory(const fs::path& source, const fs::path& target) {
    struct stat top {};
    if (::lstat(source.c_str(), &top) != 0) return fail_errno("looking at " + source.string(), errno);
    std::error_code error;
    fs::create_directory(target, error);
    if (error) return fail("system", "making " + target.string() + ": " + error.message());
    for (const auto& item : fs::directory_iterator(source, error)) {
      if (auto copied = entry(item.path(), target / item.path().filename(), top.st_dev); !copied) return copied;
    }
    if (error) return fail("system", "reading " + source.string() + ": " + error.message());
    return keep_facts(top, target);
  }

 private:
  Expected<void> entry(const fs::path& from, const fs::path& to, dev_t device) {
    struct stat info {};
    if (::lstat(from.c_str(), &info) != 0) return {};
    std::error_code error;
    if (S_ISDIR(info.st_mode)) {
      if (info.st_dev == device) return directory(from, to);
      fs::create_directory(to, error);  // a mount point: its place stays, empty
    } else if (S_ISLNK(info.st_mode)) {
      fs::copy_symlink(from, to, error);
    } else if (S_ISREG(info.st_mode)) {
      if (auto room = take(info.st_size, from); !room) return room;
      // A single file may be a mount point too (Docker's hosts, resolv.conf): its content is what counts.
      fs::copy_file(from, to, error);
    } else {
      return {};
    }
    if (error) return fail("system", "copying " + from.string() + ": " + error.message());
    return keep_facts(info, to);
  }

  Expected<void> take(off_t size, const fs::path& file) {
    const auto bytes = static_cast<std::uint64_t>(size);
    if (bytes <= left_) {
      left_ -= bytes;
      return {};
    }
    return fail("config",
                file.string() + " and what lies beside it are more than the " + std::to_string(most_) +
                    " bytes that are copied for slots where something is mounted",
                "mount it elsewhere, in a directory at the top of the root");
  }

  std::uint64_t left_;
  const std::uint64_t most_;
};

}  // namespace

Expected<void> copy_directory(const std::string& source, const std::string& target, std::uint64_t most_bytes) {
  std::error_code error;
  fs::remove_all(target, error);
  return TreeCopy(most_bytes).directory(source, target);
}

}  // namespace berth::isolation
