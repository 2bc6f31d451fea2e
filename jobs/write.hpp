// SPDX-License-Identifier: Apache-2.0
// Trees and texts written down so that read_tree() gives back the same, on one line. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "jobs/tree.hpp"

namespace berth::jobs {

// `text` as a YAML scalar that is read as this text: bare where that is safe, else in double quotes.
[[nodiscard]] std::string yaml_text(std::string_view text);

// The whole tree in flow style. Scalars keep their kind: what stood without quotes means the same without them.
[[nodiscard]] std::string to_yaml(const Node& node);

}  // namespace berth::jobs
