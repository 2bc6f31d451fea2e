// SPDX-License-Identifier: Apache-2.0
// Any bytes as a path of a slot: what is opened, made or named lies in the workspace, and nothing above it changes.
// Real files in a mount namespace of our own: root/ is the slot's root with canaries, root/workspace a mount in it.
// Input: the path; after a newline the text of a link called "fuzz" that the path may use.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "slotd/files/remove_tree.hpp"
#include "slotd/files/workspace.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::UniqueFd;
using berth::fuzz::promise;
using berth::slotd::NewFile;
using berth::slotd::Workspace;

namespace {

constexpr const char* kCanary = "canary";

struct Tree {
  std::string top;
  UniqueFd root;
  UniqueFd workspace;
  dev_t device = 0;
};

void put(const std::string& path, const char* text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  promise(file && berth::write_all(file.get(), text).has_value(), "the tree can be written");
}

void must(int result, const char* what) {
  if (result != 0) std::perror(what);
  promise(result == 0, what);
}

Tree make_tree() {
  Tree tree;
  if (::unshare(CLONE_NEWNS) != 0) must(::unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private mounts");
  tree.top = "/mnt";  // there on every Debian; covered for this process alone
  must(::mount("tmpfs", tree.top.c_str(), "tmpfs", 0, "size=16m"), "mount");
  const auto root = tree.top + "/slot";
  for (const auto* name : {"", "/etc", "/tmp", "/workspace"}) must(::mkdir((root + name).c_str(), 0755), "mkdir");
  must(::mount("tmpfs", (root + "/workspace").c_str(), "tmpfs", 0, "size=16m"), "mount");
  for (const auto* name : {"/outside", "/slot/passwd", "/slot/etc/passwd", "/slot/tmp/f"})
    put(tree.top + name, kCanary);
  tree.root.reset(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  tree.workspace.reset(::open((root + "/workspace").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat facts {};
  must(::fstat(tree.workspace.get(), &facts), "stat");
  tree.device = facts.st_dev;
  return tree;
}

Tree& tree() {
  static Tree one = make_tree();
  return one;
}

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  auto* stream = ::fdopendir(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  promise(stream != nullptr, "a directory can be listed");
  while (const auto* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(stream);
  return names;
}

void fill_workspace(const std::string& link) {
  const int top = tree().workspace.get();
  for (const auto& name : names_in(top)) {
    if (::unlinkat(top, name.c_str(), 0) != 0) (void)berth::slotd::remove_tree(top, name);
  }
  const auto path = tree().top + "/slot/workspace/";
  must(::mkdir((path + "d").c_str(), 0755), "mkdir");
  put(path + "d/f", "inside");
  for (const auto& [name, target] :
       {std::pair{"out", "/etc"}, std::pair{"up", "../.."}, std::pair{"in", "/workspace/d"}, std::pair{"loop", "loop"},
        std::pair{"magic", "/proc/self/root"}})
    must(::symlinkat(target, top, name), "link");
  if (!link.empty() && link.find('\0') == std::string::npos) (void)::symlinkat(link.c_str(), top, "fuzz");
}

void nothing_outside_changed() {
  const auto count = [](const std::string& path) {
    const UniqueFd directory(::open((tree().top + path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return names_in(directory.get()).size();
  };
  promise(count("") == 2 && count("/slot") == 4 && count("/slot/etc") == 1 && count("/slot/tmp") == 1,
          "nothing is made or removed outside");
  for (const auto* name : {"/outside", "/slot/passwd", "/slot/etc/passwd", "/slot/tmp/f"})
    promise(berth::read_file(tree().top + name).value_or("") == kCanary, "no file outside is changed");
}

void is_inside(const Workspace& workspace, int fd) {
  struct stat facts {};
  struct stat again {};
  promise(::fstat(fd, &facts) == 0 && facts.st_dev == tree().device, "what is opened lies in the workspace");
  const auto name = workspace.name_of(fd);
  if (!name) return;
  const auto same = workspace.open(*name, O_PATH | O_NOFOLLOW);
  promise(same && ::fstat(same->get(), &again) == 0 && again.st_ino == facts.st_ino, "its name leads to it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = berth::fuzz::as_text(data, size);
  const auto line = text.find('\n');
  const auto path = text.substr(0, line);
  fill_workspace(line == std::string_view::npos ? "" : std::string(text.substr(line + 1)));
  const Workspace workspace(tree().root.get(), tree().workspace.get(), "/data/slot_0");
  if (const auto found = workspace.open(path, O_PATH)) is_inside(workspace, found->get());
  if (const auto file = workspace.open_file(path)) {
    is_inside(workspace, file->fd.get());
    promise(berth::read_all(file->fd.get(), 4096).value_or("").find(kCanary) == std::string::npos, "no canary is read");
  }
  if (const auto directory = workspace.open_directory(path, size % 2 == 0)) is_inside(workspace, directory->get());
  if (auto place = workspace.place(path, true)) {
    is_inside(workspace, place->directory.get());
    auto file = NewFile::create(std::move(*place));
    if (file && file->write("evil")) (void)file->commit();
  }
  nothing_outside_changed();
  return 0;
}
