// SPDX-License-Identifier: Apache-2.0
// The table of the agent's keys: reading, printing, flags and environment all go by it.
#pragma once

#include <span>
#include <string_view>

#include "jobs/keys.hpp"

namespace berth::agent {

[[nodiscard]] const jobs::ObjectRule& config_rule();

// Where else than in the file a key may be set, and what kind of value it is.
struct KeySource {
  std::string_view key;          // "log.level"
  std::string_view flag;         // empty: none
  std::string_view environment;  // empty: none
  bool path = false;             // a file or folder: made absolute
};
[[nodiscard]] std::span<const KeySource> key_sources();

}  // namespace berth::agent
