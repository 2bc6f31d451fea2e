// SPDX-License-Identifier: Apache-2.0
// agent/api/openapi.json as bytes of the program.
#pragma once

#include <string_view>

namespace berth::agent {

[[nodiscard]] std::string_view openapi_text();

}  // namespace berth::agent
