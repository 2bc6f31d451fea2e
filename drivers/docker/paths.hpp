// SPDX-License-Identifier: Apache-2.0
// A container's folder on this machine: STATE_DIR/containers/ID, 0700, bound into the container and removed with it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "drivers/paths.hpp"

namespace berth::drivers::docker {

[[nodiscard]] inline std::string ready_file(const ContainerPaths& paths) {
  return paths.root + "/ready.json";
}

// Ids name files and groups; one that came back from an engine is looked at first.
[[nodiscard]] inline bool is_container_id(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace berth::drivers::docker
