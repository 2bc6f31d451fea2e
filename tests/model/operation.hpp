// SPDX-License-Identifier: Apache-2.0
// One step of a random sequence. The operands choose among whatever exists when the step is taken, so that every
// list of operations is a valid sequence: lists can be shortened at will while looking for the smallest failing one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/random.hpp"

namespace berth::pool::model {

enum class What : std::uint8_t {
  acquire,
  cancel,
  release,
  use,
  renew,
  call_start,
  call_end,
  run_call,
  late_call,  // clients
  reset_done,
  reset_dropped,
  start_done,
  stop_done,  // answers
  die,
  suspect,
  healthy,
  reboot,
  foreign_reset,
  mail,
  repeat,  // containers and the network
  drain,
  apply,
  remove,
  close,
  crash,  // operators and the agent
  sleep,
  tick,  // time
};
inline constexpr unsigned kWhats = static_cast<unsigned>(What::tick) + 1;

struct Operation {
  What what = What::tick;
  std::uint16_t a = 0;
  std::uint16_t b = 0;
};

using Operations = std::vector<Operation>;

[[nodiscard]] Operations random_operations(std::uint64_t seed, std::size_t length);
[[nodiscard]] std::string to_string(const Operations& operations);

}  // namespace berth::pool::model
