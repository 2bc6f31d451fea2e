// SPDX-License-Identifier: Apache-2.0
#include "isolation/idmap.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

namespace berth::isolation {
namespace {

constexpr std::uint32_t kFirstId = 0x70000000;
constexpr std::uint32_t kRanges = (0x7FFD0000 - kFirstId) / kIdsPerSlot;

std::uint32_t hash_of(const std::string& text) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

bool lock_bytes(int fd, std::uint32_t first, unsigned count) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = count;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

Expected<void> write_once(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno("opening " + path, errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno("writing " + path, errno);
  }
  return {};
}

std::string map_line(IdMode mode, std::uint32_t base, std::uint32_t own) {
  if (mode == IdMode::single) return "0 " + std::to_string(own) + " 1\n";
  return "0 " + std::to_string(mode == IdMode::shifted ? base : 0) + " " + std::to_string(kIdsPerSlot) + "\n";
}

}  // namespace

IdBlock IdBlock::take(const std::string& container_id, unsigned ranges, const std::string& lock_file) {
  IdBlock block;
  const std::uint32_t places = kRanges - ranges + 1;
  const std::uint32_t preferred = hash_of(container_id) % places;
  block.first_ = kFirstId + preferred * kIdsPerSlot;
  UniqueFd file(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  for (std::uint32_t step = 0; file && step < places; ++step) {
    const std::uint32_t place = (preferred + step) % places;
    if (!lock_bytes(file.get(), place, ranges)) continue;
    block.first_ = kFirstId + place * kIdsPerSlot;
    block.lock_ = std::move(file);
    break;
  }
  return block;
}

Expected<void> write_id_maps(pid_t pid, IdMode mode, std::uint32_t base) {
  if (mode == IdMode::none) return {};
  const std::string process = "/proc/" + std::to_string(pid);
  if (mode == IdMode::single) {
    if (auto denied = write_once(process + "/setgroups", "deny"); !denied) return denied;
  }
  if (auto uids = write_once(process + "/uid_map", map_line(mode, base, ::geteuid())); !uids) return uids;
  return write_once(process + "/gid_map", map_line(mode, base, ::getegid()));
}

Expected<UniqueFd> open_user_namespace(pid_t pid) {
  UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("opening the slot's user namespace", errno);
  return file;
}

Expected<UniqueFd> clone_tree(const std::string& path, TreeOptions options) {
  const unsigned recursive = options.recursive ? AT_RECURSIVE : 0;
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
  if (!tree) return fail_errno("copying the mount of " + path, errno);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (options.user_namespace >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(options.user_namespace);
  }
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes) != 0) {
    return fail_errno("mapping the ids of " + path, errno);
  }
  return tree;
}

}  // namespace berth::isolation
