// SPDX-License-Identifier: Apache-2.0
// What a command may keep of root's powers, in its slot's own user namespace (design section 5). Tests compare CapBnd
// and CapEff of a command with exactly this list.
#pragma once

#include <linux/capability.h>

#include <cstdint>

namespace berth::isolation {

inline constexpr int kKeptCapabilities[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                            CAP_SETUID, CAP_SETGID,       CAP_KILL,   CAP_NET_BIND_SERVICE};

[[nodiscard]] constexpr std::uint64_t kept_capability_mask() {
  std::uint64_t mask = 0;
  for (const int capability : kKeptCapabilities) mask |= std::uint64_t{1} << capability;
  return mask;
}

}  // namespace berth::isolation
