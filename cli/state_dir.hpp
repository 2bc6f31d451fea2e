// SPDX-License-Identifier: Apache-2.0
// The private state directory of one `berth run` or `berth exec`: 0700, locked, removed at the end.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::cli {

class PrivateStateDir {
 public:
  // Below $XDG_RUNTIME_DIR where that is ours, else /tmp. Directories of earlier runs that were killed go first.
  [[nodiscard]] static Expected<PrivateStateDir> create();

  PrivateStateDir(PrivateStateDir&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  PrivateStateDir& operator=(PrivateStateDir&&) = delete;
  ~PrivateStateDir() { remove(); }

  [[nodiscard]] const std::string& path() const { return path_; }
  void remove();

 private:
  PrivateStateDir(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;
};

}  // namespace berth::cli
