// SPDX-License-Identifier: Apache-2.0
// Paths of a slot, resolved by the kernel below a held descriptor, so that nothing the slot does meanwhile can lead
// outside (facts/slot-protocol.md 2.10). A path is inside when what was really opened lies on the workspace's own
// mount; links may go anywhere as long as they end there. Blocking, short; single-threaded.
//
// Error codes: "outside", "not_found", "not_a_file", "not_a_directory", "disk_full", "denied", "bad_path", "system".
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "berth/error.hpp"
#include "isolation/room.hpp"

namespace berth::slotd {

inline constexpr std::string_view kOutsideMessage = "Access denied: path outside workspace";

// Whom a slot's files belong to.
struct FsIds {
  uid_t uid = 0;
  gid_t gid = 0;
};

// While it lives, this thread's file work is done as the slot's root: files belong to it, quotas count for it, and its
// permissions hold. A room whose ids are the process's own needs nothing.
class FsIdentity {
 public:
  explicit FsIdentity(const isolation::Room& room);
  explicit FsIdentity(FsIds ids);
  ~FsIdentity();
  FsIdentity(const FsIdentity&) = delete;
  FsIdentity& operator=(const FsIdentity&) = delete;

 private:
  bool changed_ = false;
};

class Workspace {
 public:
  // `alias`: the server's own name of the workspace, accepted as a prefix beside /workspace. Valid while the room is.
  Workspace(const isolation::Room& room, std::string alias);
  // `root`: the slot's root; `workspace`: the mount at /workspace in it. Both are kept open by the caller.
  Workspace(int root, int workspace, std::string alias);

  // An existing file of any type; `flags` as open(2), O_CLOEXEC and O_NONBLOCK are added.
  [[nodiscard]] Expected<UniqueFd> open(std::string_view path, int flags) const;
  // An existing regular file for reading, and what it is.
  struct File {
    UniqueFd fd;
    struct stat facts {};
  };
  [[nodiscard]] Expected<File> open_file(std::string_view path) const;
  // An existing directory, made with its parents when `create`.
  [[nodiscard]] Expected<UniqueFd> open_directory(std::string_view path, bool create) const;

  // Where a file of this name is, or would be: links at the end are followed.
  struct Place {
    UniqueFd directory;  // O_PATH
    std::string name;
  };
  [[nodiscard]] Expected<Place> place(std::string_view path, bool make_parents) const;

  // Where something opened here really is, as a name in the workspace: "a/b", "" for the workspace itself.
  [[nodiscard]] Expected<std::string> name_of(int fd) const;
  // The name commands know: "/workspace/a/b".
  [[nodiscard]] std::string display(std::string_view path) const;

 private:
  [[nodiscard]] Expected<std::string> in_slot(std::string_view path) const;
  struct Reached {
    UniqueFd fd;            // none: not even the first part exists
    std::string_view rest;  // what is left of the path: "/b/c"
  };
  [[nodiscard]] Reached reach(std::string_view slot_path) const;
  [[nodiscard]] bool parent_is_outside(std::string_view slot_path) const;
  [[nodiscard]] Expected<UniqueFd> open_resolved(const std::string& slot_path, int flags) const;
  [[nodiscard]] Expected<UniqueFd> make_directories(const std::string& slot_path) const;

  int root_;
  int workspace_;
  std::uint64_t mount_;
  std::string alias_;
};

// What file work off the event loop needs of a room: descriptors of its own, so that a room that goes meanwhile takes
// nothing away. Movable to another thread.
class WorkspaceHandle {
 public:
  [[nodiscard]] static Expected<WorkspaceHandle> of(const isolation::Room& room, std::string alias);
  WorkspaceHandle(UniqueFd root, UniqueFd workspace, std::string alias, FsIds ids)
      : root_(std::move(root)), workspace_(std::move(workspace)), alias_(std::move(alias)), ids_(ids) {}
  // Valid while this object is where it is.
  [[nodiscard]] Workspace workspace() const { return {root_.get(), workspace_.get(), alias_}; }
  [[nodiscard]] FsIds ids() const { return ids_; }

 private:
  UniqueFd root_;
  UniqueFd workspace_;
  std::string alias_;
  FsIds ids_;
};

// A new file that takes its place under its name only when it is whole; dropped unless committed.
class NewFile {
 public:
  [[nodiscard]] static Expected<NewFile> create(Workspace::Place place);
  NewFile(NewFile&&) = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();
  [[nodiscard]] Expected<void> write(std::string_view data);
  // Keeps the permissions of the file it replaces; `mode` otherwise.
  [[nodiscard]] Expected<void> commit(mode_t mode = 0644);

 private:
  NewFile(Workspace::Place place, std::string temporary, UniqueFd fd)
      : place_(std::move(place)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}
  Workspace::Place place_;
  std::string temporary_;
  UniqueFd fd_;
};

// Errors of file work in the words above.
[[nodiscard]] Error file_error(int error_number, std::string_view path);

}  // namespace berth::slotd
