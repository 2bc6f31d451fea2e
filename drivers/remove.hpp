// SPDX-License-Identifier: Apache-2.0
// Removing what a container has left behind.
#pragma once

#include <system_error>

#include <functional>
#include <string>

#include "berth/error.hpp"

namespace berth::drivers {

// The directory and everything below. Directories of ours that not even we may enter, as overlayfs makes them for
// itself, are opened first. Nothing may run in it any more.
[[nodiscard]] std::error_code remove_container_tree(const std::string& path);

// The folders of containers in `state_dir` that nobody uses any more. Goes on past one that cannot be removed; the
// error
// ("leftover") names the first such.
[[nodiscard]] Expected<void> remove_stray_folders(const std::string& state_dir,
                                                  const std::function<bool(const std::string& id)>& is_used);

}  // namespace berth::drivers
