// SPDX-License-Identifier: Apache-2.0
// Where inputs and outputs may go, judged as text: nothing here looks at a file system.
#pragma once

#include <string>
#include <string_view>

#include "jobs/template.hpp"

namespace berth::jobs {

// `written` has its templates, `path` is the same replaced. The result is normalised; a '/' at its end is kept.
// A path must stay in its base, and in the folder that stands before its first template.
[[nodiscard]] OrMessage<std::string> input_target(std::string_view written, std::string_view path);  // /workspace...
[[nodiscard]] OrMessage<std::string> output_source(std::string_view written,
                                                   std::string_view path);  // relative to /workspace
[[nodiscard]] OrMessage<std::string> output_target(std::string_view written,
                                                   std::string_view path);  // relative to the job file

}  // namespace berth::jobs
