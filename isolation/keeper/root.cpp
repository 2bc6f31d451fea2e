// SPDX-License-Identifier: Apache-2.0
// The order of facts/isolation.md: one tmpfs holds everything a slot can write; only its directory `root` becomes the
// slot's root, so that the overlays' upper directories beside it stay out of sight. Until the pivot the working
// directory is that tmpfs, and every path of ours is relative to it.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

// An existing directory of every system to mount on; what lies below it is not needed any more.
constexpr const char* kMountPoint = "/sys";

void mount_disk(const protocol::Describe& fixed) {
  char options[96] = "mode=755";
  char* end = options + std::strlen(options);
  const bool limited = in_force(Measure::disk_limit) && fixed.disk_bytes != protocol::kNoLimit;
  end = write_number(static_cast<char*>(std::memcpy(end, ",size=", 6)) + 6, limited ? fixed.disk_bytes : 0);
  end = write_number(static_cast<char*>(std::memcpy(end, ",nr_inodes=", 11)) + 11, limited ? fixed.disk_inodes : 0);
  *end = 0;
  if (::mount("slot", kMountPoint, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) die("mounting the slot's disk");
  if (::chdir(kMountPoint) != 0) die("entering the slot's disk");
  for (const char* name : {"root", "u", "k", "l", "s"}) make_directory(name, 0755);
  bind("root", "root", false);
  if (::chdir(kMountPoint) != 0) die("entering the slot's disk again");
}

void mount_workspace(const Description& description) {
  make_directory("root/workspace", 0755);
  if (const int tree = tree_of(description, description.fixed.workspace_tree); tree >= 0) {
    if (::move_mount(tree, "", AT_FDCWD, "root/workspace", MOVE_MOUNT_F_EMPTY_PATH) != 0) die("placing the workspace");
    return;
  }
  if (description.workspace[0] == 0) {
    // A mount of its own: slotd tells by the mount whether a path that it opened lies inside the workspace.
    bind("root/workspace", "root/workspace", false);
    return;
  }
  bind(description.workspace, "root/workspace", false);
  restrict_mount("root/workspace", MS_NOSUID | MS_NODEV);
}

void place_workspace(const Description& description) {
  mount_workspace(description);
  if (state.uid == 0 && state.gid == 0) return;
  if (::chown("root/workspace", state.uid, state.gid) != 0) die("giving the workspace to its user");
}

void place_layer(const Description& description) {
  if (description.fixed.layer == protocol::Layer::none) return;
  if (const int tree = tree_of(description, description.fixed.layer_tree); tree >= 0) {
    if (::move_mount(tree, "", AT_FDCWD, "s", MOVE_MOUNT_F_EMPTY_PATH) != 0) die("placing the setup layer");
    return;
  }
  bind(description.layer, "s", false);
}

void make_tmp() {
  make_directory("root/tmp", 01777);
  if (!in_force(Measure::private_tmp)) bind("/tmp", "root/tmp", true);
}

void enter_root() {
  if (::chdir("root") != 0) die("entering the root");
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    if (::umount2(".", MNT_DETACH) != 0) die("leaving the old root");
  } else {
    // Docker's own seccomp profile refuses pivot_root even to CAP_SYS_ADMIN. Then the root is moved over the old one,
    // out of which leads no path, and no command has what it takes to leave a changed root (CAP_SYS_CHROOT).
    if (errno != EPERM || in_force(Measure::user_namespace)) die("pivot_root");
    if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) die("moving the root");
    if (::chroot(".") != 0) die("changing the root");
  }
  if (::chdir("/") != 0) die("entering /");
}

}  // namespace

void build_root(const Description& description) {
  ::umask(0);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) die("making mounts private");
  mount_disk(description.fixed);
  place_layer(description);
  show_system(description);
  place_workspace(description);
  make_tmp();
  make_directory("root/sys", 0555);
  make_devices();
  make_proc();
  enter_root();
  ::umask(022);
}

}  // namespace berth::keeper
