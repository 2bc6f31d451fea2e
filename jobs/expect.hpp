// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace berth::jobs {

// Why `pattern` is no RE2 pattern; empty when it is one.
[[nodiscard]] std::string complaint_about_pattern(const std::string& pattern);

}  // namespace berth::jobs
