// SPDX-License-Identifier: Apache-2.0
// The system's directories as the layout names them: links, empty directories, overlays above the real thing (or above
// what setup steps wrote), read-only binds where ids do not allow more.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

void place_source(const Description& description, const Entry& entry, const char* target, bool recursive) {
  const int tree = tree_of(description, entry.fixed.tree);
  if (tree < 0) return bind(entry.source, target, recursive);
  if (::move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0) die(Path("placing ", entry.name));
}

// A merged directory shows its upper's mode and owner, so the upper gets those of the directory below.
void copy_owner(const char* lower, const char* upper) {
  struct stat info {};
  if (::stat(lower, &info) != 0) die(Path("looking at ", lower));
  make_directory(upper, 0700);
  if (::chown(upper, info.st_uid, info.st_gid) != 0) die(Path("giving away ", upper));
  if (::chmod(upper, info.st_mode & 07777) != 0) die(Path("setting the mode of ", upper));
}

void mount_overlay(const Description& description, const Entry& entry) {
  const Path lower("l/", entry.name);
  make_directory(lower, static_cast<mode_t>(entry.fixed.mode));
  if (entry.source[0] != 0 || entry.fixed.tree != protocol::kNoFd) place_source(description, entry, lower, false);
  const bool writes_layer = description.fixed.layer == protocol::Layer::write;
  const Path upper(writes_layer ? "s/u/" : "u/", entry.name);
  const Path work(writes_layer ? "s/k/" : "k/", entry.name);
  const Path layer("s/u/", entry.name);
  const bool has_layer = description.fixed.layer == protocol::Layer::read && ::access(layer, F_OK) == 0;
  copy_owner(has_layer ? layer : lower, upper);
  make_directory(work, 0700);
  const Path below(has_layer ? layer.text : "", has_layer ? ":" : "", lower);
  const Path directories("userxattr,lowerdir=", below, ",upperdir=", upper);
  const Path options(directories, ",workdir=", work);
  const Path target("root/", entry.name);
  make_directory(target, 0755);
  if (::mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, options) != 0) die(Path("overlay on ", entry.name));
}

void bind_read_only(const Description& description, const Entry& entry) {
  const Path target("root/", entry.name);
  make_directory(target, 0755);
  place_source(description, entry, target, true);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (::mount_setattr(AT_FDCWD, target, AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
    die(Path("making read-only: ", entry.name));
  }
}

void show(const Description& description, const Entry& entry) {
  const Path target("root/", entry.name);
  switch (entry.fixed.kind) {
    case protocol::EntryKind::link:
      if (::symlink(entry.source, target) != 0) die(Path("linking ", entry.name));
      return;
    case protocol::EntryKind::directory: return make_directory(target, static_cast<mode_t>(entry.fixed.mode));
    case protocol::EntryKind::overlay: return mount_overlay(description, entry);
    case protocol::EntryKind::bind_read_only: return bind_read_only(description, entry);
    case protocol::EntryKind::bind_shared: make_directory(target, 0755); return bind(entry.source, target, true);
    case protocol::EntryKind::file: return show_file(entry.source, target, tree_of(description, entry.fixed.tree));
  }
  errno = EPROTO;
  die("unknown kind of entry");
}

}  // namespace

void show_system(const Description& description) {
  protocol::Reader reader(description.entries, description.entries_size);
  Entry entry;
  for (std::uint32_t i = 0; i < description.fixed.entries; ++i) {
    if (next_entry(reader, entry)) show(description, entry);
  }
}

}  // namespace berth::keeper
