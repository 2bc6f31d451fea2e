// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tests/model/run.hpp"

namespace berth::pool::model {

// Each must be found by the model test. Names are valid test names.
[[nodiscard]] const std::vector<Plant>& plants();

}  // namespace berth::pool::model
