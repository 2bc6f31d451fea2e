// SPDX-License-Identifier: Apache-2.0
// The parts of slotd's protocol that only the agent writes and reads; base/call_wire.hpp has those of every client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_wire.hpp"
#include "berth/error.hpp"

namespace berth::agent {

[[nodiscard]] std::string encode_reset(std::string_view slot, std::uint64_t generation);

// The outcome of /reset: nothing when it succeeded.
[[nodiscard]] std::optional<Error> error_of_reset(std::string_view body);

// What /health tells; empty and zero where the server does not say.
struct HealthFacts {
  std::string status;
  std::string boot_id;
  std::string version;
  std::string isolation;             // the level asked for
  std::vector<std::string> missing;  // measures that are wanted and not in force
  std::vector<std::string> notes;    // what to know about the isolation in force
  std::vector<std::uint64_t> floors;
  unsigned slots = 0;
};
[[nodiscard]] Expected<HealthFacts> parse_health(std::string_view body);

}  // namespace berth::agent
