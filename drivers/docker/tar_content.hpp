// SPDX-License-Identifier: Apache-2.0
// What the engine packs of one file of a container: written by whoever ran there. Pure.
#pragma once

#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth::drivers::docker {

// The content of the plain file that a tar begins with. Error: "engine_protocol" (it begins with something else, or
// ends before its file does).
[[nodiscard]] Expected<std::string> file_in_tar(std::string_view tar);

}  // namespace berth::drivers::docker
