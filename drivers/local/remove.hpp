// SPDX-License-Identifier: Apache-2.0
// Removing what a container has left behind.
#pragma once

#include <system_error>

#include <string>

namespace berth::drivers {

// The directory and everything below. Directories of ours that not even we may enter, as overlayfs makes them for
// itself, are opened first. Nothing may run in it any more.
[[nodiscard]] std::error_code remove_container_tree(const std::string& path);

}  // namespace berth::drivers
