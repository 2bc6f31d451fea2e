// SPDX-License-Identifier: Apache-2.0
#include "agent/api/openapi.hpp"

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the linker's names
extern const char berth_openapi_begin[];
extern const char berth_openapi_end[];
// NOLINTEND(readability-identifier-naming)
}

namespace berth::agent {

std::string_view openapi_text() {
  return {berth_openapi_begin, static_cast<std::size_t>(berth_openapi_end - berth_openapi_begin)};
}

}  // namespace berth::agent
