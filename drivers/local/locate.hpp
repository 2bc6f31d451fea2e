// SPDX-License-Identifier: Apache-2.0
// Where berth-slotd is (wire.md 1.17): --slotd, BERTH_SLOTD, beside the running program, ../libexec/berth, PATH.
#pragma once

#include <string>
#include <vector>

#include "berth/error.hpp"

namespace berth::drivers {

// What the search may look at; empty strings are left out.
struct SlotdSearch {
  std::string flag;               // --slotd
  std::string environment;        // BERTH_SLOTD
  std::string program_directory;  // folder of the running program
  std::string path;               // PATH
};

// The search of this process: BERTH_SLOTD, /proc/self/exe, PATH.
[[nodiscard]] SlotdSearch slotd_search(std::string flag);

// The first executable regular file. A flag or variable that names none is an error at once: what somebody asked for is
// never replaced silently. Error code "slotd_not_found", its message lists every place tried.
[[nodiscard]] Expected<std::string> find_slotd(const SlotdSearch& search);

}  // namespace berth::drivers
