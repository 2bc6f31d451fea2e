// SPDX-License-Identifier: Apache-2.0
// From the sources to one list of settings, each with its origin. Internal to agent/config.
#pragma once

#include "agent/config/config.hpp"
#include "jobs/tree.hpp"

namespace berth::agent {

// The tree of the file with environment and flags put over it; null when nothing is set anywhere.
[[nodiscard]] jobs::NodePtr merged_tree(const ConfigSources& sources, jobs::Complaints& complaints);

// Every key of the table with its value in `root` (may be null), or its default.
[[nodiscard]] std::vector<Setting> settings_of(const jobs::NodePtr& root, const ConfigSources& sources,
                                               const jobs::Complaints& complaints);

// The text of a key; empty for none.
[[nodiscard]] std::string text_at(const std::vector<Setting>& settings, std::string_view key);

}  // namespace berth::agent
