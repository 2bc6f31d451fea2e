// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/seccomp.hpp"

extern "C" {
extern const char berth_seccomp_begin[];
extern const char berth_seccomp_end[];
}

namespace berth::drivers::docker {

std::string_view seccomp_profile() {
  return {berth_seccomp_begin, static_cast<std::size_t>(berth_seccomp_end - berth_seccomp_begin)};
}

}  // namespace berth::drivers::docker
