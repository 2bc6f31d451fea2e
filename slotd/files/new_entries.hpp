// SPDX-License-Identifier: Apache-2.0
// What an unpacking made that was not there before, so that a failed one can be taken back. Of a new directory only the
// directory itself is remembered. Single-threaded.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>
#include <vector>

namespace berth::slotd {

class NewEntries {
 public:
  // Names beyond this many are not remembered, and stay: memory is bounded.
  static constexpr std::size_t kMost = 65'536;

  void add_directory(const std::string& path);
  void add_file(const std::string& path);
  // Removes all of it below `root`, as far as it can.
  void remove(int root);

 private:
  [[nodiscard]] bool is_below_new(const std::string& path) const;
  std::vector<std::string> paths_;
  std::unordered_set<std::string> directories_;
};

}  // namespace berth::slotd
