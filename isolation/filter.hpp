// SPDX-License-Identifier: Apache-2.0
// The seccomp policy as data and its compiled form. The program is made once per process by libseccomp and handed to
// each keeper as bytes, so that the keeper itself links nothing but libc.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "berth/error.hpp"

namespace berth::isolation {

// A rule holds for a call whose argument `index`, masked, equals `value`. The kernel takes flags, commands and families
// as 32 bits, so rules mask to 32 bits too: set high bits change nothing.
struct ArgumentRule {
  unsigned index = 0;
  std::uint64_t mask = 0xffffffff;
  std::uint64_t value = 0;
};

struct FilterRule {
  std::string_view syscall;
  std::optional<ArgumentRule> argument;  // none: every call
  int error_number = 0;                  // what the caller gets
  int number = -1;  // for system calls newer than libseccomp's tables; the same on all architectures
};

// Everything that is denied; the rest is allowed. Calls of a foreign architecture (int 0x80, x32) get ENOSYS.
// clone with CLONE_NEWUTS (the tag by which the keeper finds a command's processes) or CLONE_NEWNET (a command without
// network) passes: both need CAP_SYS_ADMIN in the slot's user namespace, which commands lack.
[[nodiscard]] const std::vector<FilterRule>& filter_rules();

// The rules as a program for this machine's architecture, searched as a tree. Error code "isolation".
[[nodiscard]] Expected<std::vector<sock_filter>> compile_filter();

}  // namespace berth::isolation
