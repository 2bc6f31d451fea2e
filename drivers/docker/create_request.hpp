// SPDX-License-Identifier: Apache-2.0
// The container that is asked for. Pure: the wanted one, the image and the engine in, the request's JSON out.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "drivers/docker/answers.hpp"
#include "drivers/driver.hpp"

namespace berth::drivers::docker {

// Where slotd and what it needs are in a container. Slots do not see it.
inline constexpr const char* kHome = "/.berth";

struct HostMount {
  std::string source;
  std::string target;
};

struct CreateRequest {
  Wanted wanted;
  ImageFacts image;
  EngineFacts engine;
  std::string agent_id;
  std::string state;              // folder of this machine that becomes HOME/run, with config.json in it
  std::string program;            // slotd on this machine; empty: it will be sent
  std::string seccomp;            // the profile, JSON
  std::string group_parent;       // empty: the engine's own place
  std::vector<HostMount> groups;  // delegated control groups
  std::chrono::seconds lonely_limit{600};
  bool engine_removes = false;
};

[[nodiscard]] std::string container_name(const std::string& id);
[[nodiscard]] std::string create_body(const CreateRequest& request);

// What slotd reads in the container.
[[nodiscard]] ContainerSpec inside_spec(const Wanted& wanted, const ImageFacts& image);

}  // namespace berth::drivers::docker
