// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/tree_walk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "slotd/files/beneath.hpp"
#include "slotd/files/directory.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kNameCost = 48;                      // of a name in memory, beside its bytes
constexpr std::size_t kBatchBytes = std::size_t{1} << 20;  // of one directory at a time
constexpr std::size_t kHeldBytes = std::size_t{4} << 20;   // of all levels
constexpr int kListFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

// What was there a moment ago is gone, or something else by now.
bool vanished(int problem) {
  return problem == ENOENT || problem == ENOTDIR || problem == ELOOP;
}

std::size_t cost(const std::string& name) {
  return name.size() + kNameCost;
}

// The smallest names after a given one, as many as a batch holds: names beyond are dropped while the directory is read,
// and read again when their turn comes.
class Smallest {
 public:
  void offer(std::string name) {
    if (dropped_ && name >= first_dropped_) return;
    bytes_ += cost(name);
    names_.push_back(std::move(name));
    std::push_heap(names_.begin(), names_.end());
    while (bytes_ > kBatchBytes) drop_largest();
  }
  // Backwards.
  std::vector<std::string> take() {
    std::sort(names_.begin(), names_.end(), std::greater<>());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    return std::move(names_);
  }
  [[nodiscard]] bool dropped() const { return dropped_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void drop_largest() {
    std::pop_heap(names_.begin(), names_.end());
    bytes_ -= cost(names_.back());
    first_dropped_ = std::move(names_.back());
    names_.pop_back();
    dropped_ = true;
  }
  std::vector<std::string> names_;
  std::size_t bytes_ = 0;
  std::string first_dropped_;
  bool dropped_ = false;
};

}  // namespace

TreeWalk::TreeWalk(UniqueFd root, bool deep) : root_(std::move(root)), deep_(deep) {
  levels_.emplace_back();
}

// 0, or the errno that says why not.
int TreeWalk::open_level(const Level& level) {
  if (here_ && here_path_ == level.path) return 0;
  here_.reset(open_beneath(root_.get(), level.path.empty() ? "." : level.path, kListFlags));
  here_path_ = level.path;
  return here_ ? 0 : errno;
}

int TreeWalk::fill(Level& level) {
  if (const int problem = open_level(level)) return problem;
  // A description of its own: reading it must not depend on what was read before.
  const int own = ::openat(here_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const Directory stream(own < 0 ? nullptr : ::fdopendir(own));
  if (!stream) return errno;
  Smallest smallest;
  while (const auto* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && (level.after.empty() || name > level.after)) smallest.offer(std::string(name));
  }
  level.bytes = smallest.bytes();
  level.names = smallest.take();
  level.more = smallest.dropped();
  return 0;
}

void TreeWalk::forget_outer_names() {
  std::size_t held = 0;
  for (const auto& level : levels_) held += level.bytes;
  for (auto& level : levels_) {
    if (held <= kHeldBytes) return;
    held -= std::exchange(level.bytes, 0);
    level.names = {};
    level.more = true;
  }
}

void TreeWalk::enter(Entry& entry) {
  Level level;
  level.path = entry.path;
  entry.unreadable = fill(level);
  if (entry.unreadable != 0) return;
  entry.empty = level.names.empty();
  levels_.push_back(std::move(level));
  forget_outer_names();
}

Expected<std::optional<TreeWalk::Entry>> TreeWalk::next() {
  while (!levels_.empty()) {
    auto& level = levels_.back();
    if (level.names.empty()) {
      const int problem = level.more ? fill(level) : 0;
      if (problem != 0 && levels_.size() == 1) return tl::unexpected<Error>(file_error(problem, "directory"));
      if (problem != 0 || level.names.empty()) levels_.pop_back();
      continue;
    }
    level.after = std::move(level.names.back());
    level.names.pop_back();
    Entry entry;
    entry.path = level.path.empty() ? level.after : level.path + "/" + level.after;
    if (open_level(level) != 0) {
      levels_.pop_back();  // moved away meanwhile
      continue;
    }
    if (::fstatat(here_.get(), level.after.c_str(), &entry.facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(entry.facts.st_mode) && deep_) enter(entry);
    if (vanished(entry.unreadable)) continue;
    return std::optional<Entry>(std::move(entry));
  }
  return std::optional<Entry>();
}

}  // namespace berth::slotd
