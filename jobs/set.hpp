// SPDX-License-Identifier: Apache-2.0
// --set a.b=VALUE: replaces one value of the tree by its path, VALUE read as YAML.
#pragma once

#include <string>

#include "jobs/tree.hpp"

namespace berth::jobs {

// The tree with the value replaced; maps that are missing on the way are made, numbers are places in lists, from 0.
// On a complaint the tree is returned unchanged.
[[nodiscard]] NodePtr apply_set(const NodePtr& root, const std::string& set, Complaints& complaints);

// The tree with the text `value` at `path`, as if written at `source`; maps that are missing on the way are made.
// On a complaint (there is something else than a map on the way) the tree is returned unchanged. `root` may be null.
[[nodiscard]] NodePtr with_text(const NodePtr& root, const std::string& path, std::string value, unsigned source,
                                Complaints& complaints);

}  // namespace berth::jobs
