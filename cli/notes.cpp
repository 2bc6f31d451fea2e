// SPDX-License-Identifier: Apache-2.0
#include "cli/notes.hpp"

#include <set>

#include "cli/terminal.hpp"

namespace berth::cli {

void warn_of_missing_isolation(const agent::Runtime& runtime) {
  std::set<std::string> said;
  for (const auto& [container, facts] : runtime.health()) {
    std::string missing;
    for (const std::string& measure : facts.missing) missing += (missing.empty() ? "" : ", ") + measure;
    if (facts.isolation == "none") missing = "none is asked for: commands run unprotected on this machine";
    if (!missing.empty() && said.insert(missing).second) print_warning("isolation: not in force: " + missing);
    for (const std::string& note : facts.notes)
      if (said.insert(note).second) print_warning("isolation: " + note);
  }
}

}  // namespace berth::cli
