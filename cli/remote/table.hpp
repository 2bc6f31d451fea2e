// SPDX-License-Identifier: Apache-2.0
// Lists for people: columns as wide as they need, no control characters. For programs there is --json.
#pragma once

#include <string>
#include <vector>

namespace berth::cli {

using Row = std::vector<std::string>;

// The first row names the columns.
void print_table(const std::vector<Row>& rows);

}  // namespace berth::cli
