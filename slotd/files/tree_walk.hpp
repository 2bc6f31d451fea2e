// SPDX-License-Identifier: Apache-2.0
// A tree below a held directory, top-down, each directory's names in the order of their bytes. No link is followed. A
// million names in a directory, or a thousand levels, cost time but neither memory (a few MiB) nor descriptors (two).
// Blocking; single-threaded, movable between threads between two calls.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

class TreeWalk {
 public:
  struct Entry {
    std::string path;      // from the root, "a/b"
    struct stat facts {};  // of the entry itself, not of what it points to
    bool empty = false;    // a directory without members
    int unreadable = 0;    // a directory that is not entered: the errno that says why
    [[nodiscard]] std::string name() const { return path.substr(path.rfind('/') + 1); }
  };

  // `deep`: directories are entered.
  explicit TreeWalk(UniqueFd root, bool deep = true);

  // The next entry; nothing at the end. What vanishes meanwhile is left out.
  [[nodiscard]] Expected<std::optional<Entry>> next();
  // The directory that holds the last entry, unless that was a directory itself. Until the next call.
  [[nodiscard]] int directory() const { return here_.get(); }

 private:
  struct Level {
    std::string path;                // "" for the root
    std::vector<std::string> names;  // backwards: the next one is at the end
    std::string after;               // names up to this one are done
    std::size_t bytes = 0;           // what `names` took when they were read
    bool more = true;                // the directory may hold names beyond `names`
  };
  [[nodiscard]] int open_level(const Level& level);
  [[nodiscard]] int fill(Level& level);
  void enter(Entry& entry);
  void forget_outer_names();

  UniqueFd root_;
  const bool deep_;
  UniqueFd here_;
  std::string here_path_;
  std::vector<Level> levels_;
};

}  // namespace berth::slotd
