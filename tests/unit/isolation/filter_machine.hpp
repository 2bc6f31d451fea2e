// SPDX-License-Identifier: Apache-2.0
// Runs a seccomp program in user space, so that tests can ask about any architecture, number and argument.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace berth::isolation {

struct Verdict {
  std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
  std::size_t steps = 0;  // instructions executed
};

// What the program returns for this call: action SECCOMP_RET_*. Knows the instructions that seccomp programs are made
// of; anything else, or running off the end, is SECCOMP_RET_KILL_PROCESS.
Verdict run_filter(const std::vector<sock_filter>& program, std::uint32_t architecture, std::uint32_t number,
                   const std::array<std::uint64_t, 6>& arguments = {});

}  // namespace berth::isolation
