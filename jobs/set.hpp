// SPDX-License-Identifier: Apache-2.0
// --set a.b=VALUE: replaces one value of the tree by its path, VALUE read as YAML.
#pragma once

#include <string>

#include "jobs/tree.hpp"

namespace berth::jobs {

// The tree with the value replaced; maps that are missing on the way are made, numbers are places in lists, from 0.
// On a complaint the tree is returned unchanged.
[[nodiscard]] NodePtr apply_set(const NodePtr& root, const std::string& set, Complaints& complaints);

// The tree with the top-level `key` set to the text `value`, as if written at `source`.
[[nodiscard]] NodePtr with_text(const NodePtr& root, const std::string& key, std::string value, unsigned source);

}  // namespace berth::jobs
