// SPDX-License-Identifier: Apache-2.0
// A directory that behaves like the kernel's control group trees: files appear with a group, a group with processes or
// groups in it cannot be removed, version 2 keeps its rule of no internal processes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "isolation/cgroup_tree.hpp"

namespace berth::isolation {

class FakeTree : public GroupTree {
 public:
  FakeTree();
  ~FakeTree() override;
  FakeTree(const FakeTree&) = delete;
  FakeTree& operator=(const FakeTree&) = delete;

  [[nodiscard]] const std::string& root() const { return root_; }
  // Mounts; each returns the directory and adds its line to mountinfo() and self_cgroup().
  std::string mount_v1(const std::string& controllers, const std::string& own_path,
                       const std::string& mount_root = "/");
  std::string mount_v2(const std::string& controllers, const std::string& own_path);
  [[nodiscard]] const std::string& mountinfo() const { return mountinfo_; }
  [[nodiscard]] const std::string& self_cgroup() const { return self_cgroup_; }

  void put_process(const std::string& directory, int pid);
  void set(const std::string& file, const std::string& text) const;
  [[nodiscard]] std::string get(const std::string& file) const;
  [[nodiscard]] bool exists(const std::string& path) const { return std::filesystem::exists(path); }
  // From now on the operation on this path fails with this errno.
  void fail_at(const std::string& path, int error_number) { failures_[path] = error_number; }

  int make_directory(const std::string& path) override;
  int remove_directory(const std::string& path) override;
  int write(const std::string& path, std::string_view text) override;

 private:
  void fill(const std::string& directory, const std::vector<std::string>& controllers, bool version_two) const;
  [[nodiscard]] int failure_of(const std::string& path) const;
  int pass_on(const std::string& directory, const std::string& controller);
  void take_process_out(int pid);
  [[nodiscard]] bool is_mount(const std::string& directory) const;

  std::string root_;
  std::string mountinfo_;
  std::string self_cgroup_;
  std::map<std::string, std::vector<std::string>> mounts_;  // directory -> controllers of a v1 mount, or of v2's root
  std::map<std::string, int> failures_;
};

}  // namespace berth::isolation
