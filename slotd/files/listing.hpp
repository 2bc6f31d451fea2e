// SPDX-License-Identifier: Apache-2.0
// What is in a directory of the workspace, as the JSON of facts/slot-protocol.md 2.7: sorted; recursively each
// directory's subdirectories first, then its files, then what is below. Links are told by their own name with the
// facts of what they lead to; those that lead outside are left out. Blocking in pieces; single-threaded, movable
// between threads.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"
#include "slotd/files/tree_walk.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {

struct ListLimits {
  bool recursive = false;
  std::size_t max_entries = 5'000;
};

class Listing {
 public:
  // Entries are left out beyond this much text, however few they are: names can be thousands of bytes long.
  static constexpr std::size_t kMaxText = 5'000'000;

  // `root`: a directory, or any file to get one entry; `name`: its name in the workspace ("" for the root).
  Listing(std::shared_ptr<const WorkspaceHandle> workspace, UniqueFd root, std::string name, ListLimits limits);

  // Does a bounded piece of the work; false when all is done.
  [[nodiscard]] Expected<bool> step();
  // The entries' objects, separated by commas.
  [[nodiscard]] std::string take() { return std::move(text_); }
  // An entry was left out for a limit, or a directory could not be read.
  [[nodiscard]] bool truncated() const { return truncated_; }

 private:
  struct Target {
    bool is_directory = false;
    struct stat facts {};
    std::optional<std::string> link;
  };
  enum class Pass { all, directories, others };

  [[nodiscard]] Expected<bool> next_directory();
  void consider(const TreeWalk::Entry& entry);
  [[nodiscard]] std::optional<Target> look(const TreeWalk::Entry& entry, const std::string& path) const;
  void tell(const std::string& path, const Target& target);
  [[nodiscard]] std::string path_of(const std::string& below) const;

  const std::shared_ptr<const WorkspaceHandle> workspace_;
  UniqueFd root_;
  const std::string name_;
  const ListLimits limits_;
  std::vector<std::string> left_;   // directories below the root to be listed, the next one at the end
  std::vector<std::string> found_;  // subdirectories of the one being listed, in order
  std::string below_;               // the directory being listed
  Pass pass_ = Pass::all;
  std::optional<TreeWalk> walk_;
  std::string text_;
  std::size_t count_ = 0;
  bool full_ = false;
  bool truncated_ = false;
};

// `bytes` as a quoted JSON string; each byte that is not UTF-8 becomes U+DC80 + (byte - 0x80), as Python has it.
void append_json_name(std::string& out, std::string_view bytes);

}  // namespace berth::slotd
