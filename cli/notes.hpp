// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/runtime/runtime.hpp"

namespace berth::cli {

// One warning a line for what isolation the containers say is missing; each is said once.
void warn_of_missing_isolation(const agent::Runtime& runtime);

}  // namespace berth::cli
