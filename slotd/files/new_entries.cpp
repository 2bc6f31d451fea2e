// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/new_entries.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "slotd/files/beneath.hpp"
#include "slotd/files/remove_tree.hpp"

namespace berth::slotd {

bool NewEntries::is_below_new(const std::string& path) const {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (directories_.count(path.substr(0, slash)) > 0) return true;
  }
  return false;
}

void NewEntries::add_file(const std::string& path) {
  if (paths_.size() < kMost && !is_below_new(path)) paths_.push_back(path);
}

void NewEntries::add_directory(const std::string& path) {
  if (paths_.size() >= kMost || is_below_new(path)) return;
  paths_.push_back(path);
  directories_.insert(path);
}

void NewEntries::remove(int root) {
  for (; !paths_.empty(); paths_.pop_back()) {
    const auto& path = paths_.back();
    const auto slash = path.rfind('/');
    const auto parent_path = slash == std::string::npos ? "." : path.substr(0, slash);
    const auto name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    const UniqueFd parent(open_beneath(root, parent_path, O_RDONLY | O_DIRECTORY));
    if (!parent || ::unlinkat(parent.get(), name.c_str(), 0) == 0) continue;
    (void)remove_tree(parent.get(), name);
  }
  directories_.clear();
}

}  // namespace berth::slotd
