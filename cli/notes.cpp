// SPDX-License-Identifier: Apache-2.0
#include "cli/notes.hpp"

#include <algorithm>

namespace berth::cli {

std::vector<std::string> sentences_of(const std::vector<IsolationReport>& reports) {
  std::vector<std::string> all;
  const auto say = [&all](std::string sentence) {
    if (std::find(all.begin(), all.end(), sentence) == all.end()) all.push_back(std::move(sentence));
  };
  for (const IsolationReport& report : reports) {
    std::string missing;
    for (const std::string& measure : report.missing) missing += (missing.empty() ? "" : ", ") + measure;
    if (report.level == "none") missing = "none is asked for: commands run unprotected on this machine";
    if (!missing.empty()) say("isolation: not in force: " + missing);
    for (const std::string& note : report.notes) say("isolation: " + note);
  }
  return all;
}

}  // namespace berth::cli
