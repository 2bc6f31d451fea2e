// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/call.hpp"

namespace berth::cli {

// The exit code of `berth exec` for a result (wire.md 1.18): the command's, 128 + its signal, 124, 125.
[[nodiscard]] int exit_code_of(const Result& result);

}  // namespace berth::cli
