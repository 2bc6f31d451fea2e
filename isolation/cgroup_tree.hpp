// SPDX-License-Identifier: Apache-2.0
// The few operations on control group directories, behind an interface so that tests can stand in for the kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::isolation {

// Results are errno values, 0 for success.
class GroupTree {
 public:
  virtual ~GroupTree() = default;
  [[nodiscard]] virtual int make_directory(const std::string& path);
  [[nodiscard]] virtual int remove_directory(const std::string& path);
  // One write(2) of the whole text into an existing file.
  [[nodiscard]] virtual int write(const std::string& path, std::string_view text);
};

// Kept open: reading costs one pread(2).
[[nodiscard]] UniqueFd open_group_file(const std::string& path, int flags);
[[nodiscard]] std::optional<std::uint64_t> read_number(int fd);                       // "4096\n"; nothing for "max"
[[nodiscard]] std::optional<std::uint64_t> read_keyed(int fd, std::string_view key);  // the line "key 4096"

// Process ids in a group's own cgroup.procs; empty also when the group is gone.
[[nodiscard]] std::vector<int> processes_of(const std::string& directory);

// Removes an empty group; tries again for some 30 ms while the kernel calls it busy. Code "busy" when processes are
// left.
[[nodiscard]] Expected<void> remove_group(GroupTree& tree, const std::string& directory);
// Removes the groups below and the group itself as far as they are empty.
void sweep_group(GroupTree& tree, const std::string& directory);

// `BASE/berth/ID`, locked (flock) as long as this object lives, swept and removed at its end. If another process holds
// ID, `ID.1`, `ID.2` ... is taken instead. Parents beside it that nobody holds are swept first.
class ParentDirectory {
 public:
  [[nodiscard]] static Expected<ParentDirectory> make(GroupTree& tree, const std::string& base, const std::string& id);
  ParentDirectory(ParentDirectory&&) noexcept = default;
  ParentDirectory& operator=(ParentDirectory&&) = delete;
  ~ParentDirectory();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ParentDirectory(GroupTree& tree, std::string path, UniqueFd lock)
      : tree_(&tree), path_(std::move(path)), lock_(std::move(lock)) {}
  GroupTree* tree_;
  std::string path_;
  UniqueFd lock_;  // none after a move
};

}  // namespace berth::isolation
