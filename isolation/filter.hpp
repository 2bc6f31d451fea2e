// SPDX-License-Identifier: Apache-2.0
// The seccomp policy as data and its compiled form. The program is made once per process by libseccomp and handed to
// each keeper as bytes, so that the keeper itself links nothing but libc.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "berth/error.hpp"

namespace berth::isolation {

// Denies what facts/isolation.md lists; allows the rest. clone with CLONE_NEWUTS alone passes: it is the tag by which
// the keeper finds a command's processes, and needs CAP_SYS_ADMIN, which commands lack.
[[nodiscard]] Expected<std::vector<sock_filter>> compile_filter();

}  // namespace berth::isolation
