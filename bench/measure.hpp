// SPDX-License-Identifier: Apache-2.0
// The measurements of design section 9. Each takes both sides of its ratio in turn, round by round, so that what else
// the machine does weighs on both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/caller.hpp"
#include "bench/row.hpp"
#include "bench/slotd_process.hpp"

namespace berth::bench {

inline constexpr int kSlots = 10;

struct Setup {
  std::string slotd_binary;
  std::string berth_binary;
  std::string container_binary;  // berth-bench-container
  std::string engine;            // the socket of a Docker engine: slot servers are measured in its containers
  std::string image;             // that it has, with a shell
  int rounds = 5;
  int scale = 1;  // samples are divided by it, for a quick look
};

// One measurement: fills in values and detail of its row. Each starts the slotd it needs, so that none leans on
// another.
struct Measurement {
  Row row = {};
  Expected<void> (*run)(const Setup& setup, Row& row);
};

[[nodiscard]] std::vector<Measurement> latency_measurements();
[[nodiscard]] std::vector<Measurement> load_measurements();
[[nodiscard]] std::vector<Measurement> size_measurements();
[[nodiscard]] std::vector<Measurement> life_measurements();
[[nodiscard]] std::vector<Measurement> agent_measurements();
[[nodiscard]] std::vector<Measurement> crowd_measurements();
[[nodiscard]] std::vector<Measurement> docker_measurements();  // need an engine

// The request of one tool call, in a slot.
[[nodiscard]] std::string execute(int slot, const std::string& tool, const std::string& args,
                                  const std::string& more = {});
[[nodiscard]] inline std::string bash(int slot, const std::string& command) {
  return execute(slot, "bash", R"({"command":")" + command + "\"}");
}
// What "an empty request" is: the cheapest route that looks at every slot.
[[nodiscard]] inline std::string empty_request() {
  return prepare("GET", "/slots");
}

// A slotd of ten slots with one connection to it; in a container with limits by control groups where an engine is
// named.
struct Target {
  SlotdProcess process;
  Caller caller;
};
[[nodiscard]] Expected<Target> start_target(const Setup& setup);

// "0.731 ms / 0.612 ms"
[[nodiscard]] std::string pair_text(const std::vector<double>& left, const std::vector<double>& right,
                                    const char* unit);

}  // namespace berth::bench
