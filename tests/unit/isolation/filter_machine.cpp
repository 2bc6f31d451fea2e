// SPDX-License-Identifier: Apache-2.0
#include "filter_machine.hpp"

#include <cstring>

namespace berth::isolation {
namespace {

bool holds(std::uint16_t operation, std::uint32_t a, std::uint32_t k) {
  switch (BPF_OP(operation)) {
    case BPF_JEQ: return a == k;
    case BPF_JGT: return a > k;
    case BPF_JGE: return a >= k;
    case BPF_JSET: return (a & k) != 0;
    default: return false;
  }
}

}  // namespace

Verdict run_filter(const std::vector<sock_filter>& program, std::uint32_t architecture, std::uint32_t number,
                   const std::array<std::uint64_t, 6>& arguments) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = architecture;
  for (std::size_t i = 0; i < arguments.size(); ++i) data.args[i] = arguments[i];

  std::uint32_t a = 0;
  std::size_t steps = 0;
  for (std::size_t at = 0; at < program.size(); ++at, ++steps) {
    const auto& step = program[at];
    if (step.code == (BPF_LD | BPF_W | BPF_ABS) && step.k + sizeof a <= sizeof data) {
      std::memcpy(&a, reinterpret_cast<const char*>(&data) + step.k, sizeof a);
    } else if (step.code == (BPF_ALU | BPF_AND | BPF_K)) {
      a &= step.k;
    } else if (step.code == (BPF_JMP | BPF_JA)) {
      at += step.k;
    } else if (BPF_CLASS(step.code) == BPF_JMP && BPF_SRC(step.code) == BPF_K) {
      at += holds(step.code, a, step.k) ? step.jt : step.jf;
    } else if (step.code == (BPF_RET | BPF_K)) {
      return {step.k, steps + 1};
    } else {
      break;
    }
  }
  return {SECCOMP_RET_KILL_PROCESS, steps};
}

}  // namespace berth::isolation
