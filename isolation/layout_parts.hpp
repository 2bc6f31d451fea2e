// SPDX-License-Identifier: Apache-2.0
// What layouts of the machine and of images share; for layout*.cpp only.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "isolation/layout.hpp"

namespace berth::isolation {

// Never shown: the keeper makes these itself, or they are the engine's, or ours.
[[nodiscard]] bool is_own_name(const std::string& name);
// Whether a path of this name can be an overlay's option and fits the keeper's paths.
[[nodiscard]] bool is_showable_name(const std::string& name);
void add_layout_link(const std::filesystem::path& path, std::vector<LayoutEntry>& entries);
// Directories that a system has and this one may lack; those of the first kind take what setup steps write.
void add_missing_directories(std::vector<LayoutEntry>& entries);

[[nodiscard]] Expected<std::vector<LayoutEntry>> image_layout(const LayoutOptions& options);

}  // namespace berth::isolation
