// SPDX-License-Identifier: Apache-2.0
// The legal transitions as data, and a count of those that were taken.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/pool/pool.hpp"

namespace berth::pool::model {

struct SlotStep {
  SlotState from, to;
};
struct ContainerStep {
  ContainerState from, to;
};

[[nodiscard]] const std::vector<SlotStep>& legal_slot_steps();
[[nodiscard]] const std::vector<ContainerStep>& legal_container_steps();
[[nodiscard]] const std::vector<ContainerState>& drainable_states();
[[nodiscard]] const std::vector<std::string>& lease_events();  // and how requests end

class Coverage {
 public:
  // Counts; a transition that is not legal is returned as text.
  std::optional<std::string> take(const Effect& effect);
  void restored() { ++events_["lease restored"]; }
  void cancelled() { ++events_["request cancelled"]; }

  // One line a transition, "never" where it was not taken, and how many were not.
  [[nodiscard]] std::string report() const;
  [[nodiscard]] unsigned missing() const;

 private:
  std::array<std::array<std::uint64_t, 7>, 7> slots_{};
  std::array<std::array<std::uint64_t, 5>, 5> containers_{};
  std::array<std::uint64_t, 5> drained_{};
  std::map<std::string, std::uint64_t> events_;
};

}  // namespace berth::pool::model
