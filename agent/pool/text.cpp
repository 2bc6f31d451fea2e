// SPDX-License-Identifier: Apache-2.0
// Spellings of the pool's states and names.
#include <charconv>

#include "agent/pool/views.hpp"

namespace berth::pool {

std::string_view to_string(SlotState state) {
  switch (state) {
    case SlotState::starting: return "starting";
    case SlotState::available: return "available";
    case SlotState::acquired: return "acquired";
    case SlotState::executing: return "executing";
    case SlotState::releasing: return "releasing";
    case SlotState::error: return "error";
    case SlotState::lost: return "lost";
  }
  return "error";
}

std::string_view to_peer_string(SlotState state) {
  if (state == SlotState::starting) return "releasing";
  if (state == SlotState::lost) return "error";
  return to_string(state);
}

std::string_view to_string(ContainerState state) {
  switch (state) {
    case ContainerState::starting: return "starting";
    case ContainerState::up: return "up";
    case ContainerState::suspect: return "suspect";
    case ContainerState::stopping: return "stopping";
    case ContainerState::gone: return "gone";
  }
  return "gone";
}

std::string_view to_string(EndReason reason) {
  switch (reason) {
    case EndReason::released: return "released";
    case EndReason::idle: return "idle";
    case EndReason::ttl: return "ttl";
    case EndReason::container_lost: return "container_lost";
    case EndReason::slot_lost: return "slot_lost";
    case EndReason::job_removed: return "job_removed";
  }
  return "slot_lost";
}

std::string slot_name(unsigned index) {
  return "slot_" + std::to_string(index);
}

std::optional<unsigned> slot_index(std::string_view name) {
  constexpr std::string_view kPrefix = "slot_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kPrefix.size());
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  std::uint16_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return index;
}

}  // namespace berth::pool
