// SPDX-License-Identifier: Apache-2.0
// The text of /proc/PID/mountinfo (proc(5)). Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth {

struct Mount {
  std::string root;     // of its file system, the directory that is shown
  std::string point;    // where
  std::string type;     // of file system
  std::string options;  // of the file system, with commas; a v1 hierarchy's controllers stand here
};

// In the order of the text, paths as they are. A line that is no mount is left out.
[[nodiscard]] std::vector<Mount> parse_mounts(std::string_view mountinfo);

}  // namespace berth
