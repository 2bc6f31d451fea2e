// SPDX-License-Identifier: Apache-2.0
// The seccomp profile of Berth's containers (seccomp.json): what engines allow by default, and the five calls by which
// slotd makes slots without any capability: clone with any flags, mount, umount2, pivot_root, sethostname. What the
// commands in slots may call is far less: isolation/filter.cpp.
#pragma once

#include <string_view>

namespace berth::drivers::docker {

// JSON text as Docker takes it: SecurityOpt "seccomp=TEXT". Lives as long as the program.
[[nodiscard]] std::string_view seccomp_profile();

}  // namespace berth::drivers::docker
