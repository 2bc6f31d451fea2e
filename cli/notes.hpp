// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace berth::cli {

// What one container says of its isolation.
struct IsolationReport {
  std::string level;  // strict, best-effort, none
  std::vector<std::string> missing;
  std::vector<std::string> notes;
};

// A sentence for each thing that is not in force, none twice.
[[nodiscard]] std::vector<std::string> sentences_of(const std::vector<IsolationReport>& reports);

}  // namespace berth::cli
