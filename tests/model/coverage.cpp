// SPDX-License-Identifier: Apache-2.0
#include "tests/model/coverage.hpp"

#include <algorithm>

namespace berth::pool::model {
namespace {

template <typename State>
std::size_t at(State state) {
  return static_cast<std::size_t>(state);
}

template <typename State>
std::string arrow(std::string_view kind, State from, State to) {
  return std::string(kind) + " " + std::string(to_string(from)) + " -> " + std::string(to_string(to));
}

std::string line(const std::string& what, std::uint64_t times) {
  return "  " + what + ": " + (times == 0 ? "never" : std::to_string(times)) + "\n";
}

}  // namespace

const std::vector<SlotStep>& legal_slot_steps() {
  using enum SlotState;
  static const std::vector<SlotStep> steps{
      {starting, available},                                                 // verified clean by a fresh container
      {starting, releasing},                                                 // restored, or used before: reset first
      {starting, acquired},                                                  // restored with its lease
      {starting, lost},      {available, acquired}, {available, releasing},  // its container was restarted
      {available, lost},     {acquired, releasing}, {acquired, lost},       {releasing, available},
      {releasing, error},    {releasing, lost},     {error, releasing},  // rebuilt
      {error, lost},
  };
  return steps;
}

const std::vector<ContainerStep>& legal_container_steps() {
  using enum ContainerState;
  static const std::vector<ContainerStep> steps{
      {starting, up},       {starting, suspect},  // restored
      {starting, stopping}, {starting, gone},    {up, suspect},   {up, stopping},   {up, gone},
      {suspect, up},        {suspect, stopping}, {suspect, gone}, {stopping, gone},
  };
  return steps;
}

const std::vector<ContainerState>& drainable_states() {
  using enum ContainerState;
  static const std::vector<ContainerState> states{starting, up, suspect};
  return states;
}

const std::vector<std::string>& lease_events() {
  static const std::vector<std::string> events{"lease granted",
                                               "lease shared",
                                               "lease restored",
                                               "lease ended: released",
                                               "lease ended: idle",
                                               "lease ended: ttl",
                                               "lease ended: slot_lost",
                                               "lease ended: container_lost",
                                               "lease ended: job_removed",
                                               "request cancelled",
                                               "request refused: no_slot",
                                               "request refused: unknown_job",
                                               "request refused: too_many_waiters",
                                               "request refused: too_many_slots",
                                               "request refused: container_failed",
                                               "request refused: job_removed",
                                               "request refused: agent_stopping"};
  return events;
}

std::optional<std::string> Coverage::take(const Effect& effect) {
  if (const auto* step = std::get_if<SlotChanged>(&effect)) {
    ++slots_[at(step->from)][at(step->to)];
    const bool legal = std::any_of(legal_slot_steps().begin(), legal_slot_steps().end(),
                                   [&](const SlotStep& one) { return one.from == step->from && one.to == step->to; });
    return legal ? std::nullopt : std::optional(arrow("slot", step->from, step->to));
  }
  if (const auto* step = std::get_if<ContainerChanged>(&effect)) {
    if (step->from == step->to) {
      if (step->draining) ++drained_[at(step->from)];
      return std::nullopt;
    }
    ++containers_[at(step->from)][at(step->to)];
    const auto& steps = legal_container_steps();
    const bool legal = std::any_of(steps.begin(), steps.end(), [&](const ContainerStep& one) {
      return one.from == step->from && one.to == step->to;
    });
    return legal ? std::nullopt : std::optional(arrow("container", step->from, step->to));
  }
  std::string event;
  if (const auto* granted = std::get_if<Granted>(&effect)) event = granted->existing ? "lease shared" : "lease granted";
  if (const auto* ended = std::get_if<LeaseEnded>(&effect))
    event = "lease ended: " + std::string(to_string(ended->why));
  if (const auto* refused = std::get_if<Refused>(&effect)) event = "request refused: " + refused->error.code;
  if (!event.empty()) ++events_[event];
  return std::nullopt;
}

std::string Coverage::report() const {
  std::string text;
  for (const auto& [from, to] : legal_slot_steps()) text += line(arrow("slot", from, to), slots_[at(from)][at(to)]);
  for (const auto& [from, to] : legal_container_steps()) {
    text += line(arrow("container", from, to), containers_[at(from)][at(to)]);
  }
  for (const ContainerState state : drainable_states()) {
    text += line("container drained while " + std::string(to_string(state)), drained_[at(state)]);
  }
  for (const std::string& event : lease_events()) {
    const auto found = events_.find(event);
    text += line(event, found == events_.end() ? 0 : found->second);
  }
  return text;
}

unsigned Coverage::missing() const {
  unsigned never = 0;
  for (const auto& [from, to] : legal_slot_steps()) never += slots_[at(from)][at(to)] == 0 ? 1 : 0;
  for (const auto& [from, to] : legal_container_steps()) never += containers_[at(from)][at(to)] == 0 ? 1 : 0;
  for (const ContainerState state : drainable_states()) never += drained_[at(state)] == 0 ? 1 : 0;
  for (const std::string& event : lease_events()) never += events_.contains(event) ? 0 : 1;
  return never;
}

}  // namespace berth::pool::model
