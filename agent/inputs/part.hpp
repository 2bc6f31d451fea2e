// SPDX-License-Identifier: Apache-2.0
// A file that is not whole yet. Internal to agent/inputs.
#pragma once

#include <string>
#include <string_view>

#include "agent/inputs/input_store.hpp"
#include "base/sha256.hpp"

namespace berth::agent {

// What an errno means for whoever sends an input: "disk_full" or "system".
[[nodiscard]] Error error_of_keeping(int error_number);

// Used by one thread at a time. Removed with its last owner unless its path was taken from it.
struct InputUpload::Part {
  Part(UniqueFd opened, std::string at) : file(std::move(opened)), path(std::move(at)) {}
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  [[nodiscard]] Expected<void> write(std::string_view bytes);

  UniqueFd file;
  std::string path;
  Sha256 digest;
};

}  // namespace berth::agent
