// SPDX-License-Identifier: Apache-2.0
// The files of an agent and of its containers on this machine. Nothing else puts these paths together.
//
//   STATE_DIR/                 0700
//     lock                     held (flock) by the agent that owns the directory
//     agent.id                 32 hexadecimal digits
//     inputs/SHA256            packed inputs, one tar each
//     containers/ID/           0700, removed with the container
//       config.json            the ContainerSpec that slotd reads
//       sock                   slotd listens here
//       slotd.log              slotd's stderr
//       data/                  slotd's own
#pragma once

#include <string>

namespace berth::drivers {

struct ContainerPaths {
  std::string root;
  [[nodiscard]] std::string config() const { return root + "/config.json"; }
  [[nodiscard]] std::string socket() const { return root + "/sock"; }
  [[nodiscard]] std::string log() const { return root + "/slotd.log"; }
  [[nodiscard]] std::string data() const { return root + "/data"; }
};

[[nodiscard]] inline std::string lock_path(const std::string& state_dir) {
  return state_dir + "/lock";
}
[[nodiscard]] inline std::string agent_id_path(const std::string& state_dir) {
  return state_dir + "/agent.id";
}
[[nodiscard]] inline std::string inputs_path(const std::string& state_dir) {
  return state_dir + "/inputs";
}
[[nodiscard]] inline std::string containers_path(const std::string& state_dir) {
  return state_dir + "/containers";
}
[[nodiscard]] inline ContainerPaths container_paths(const std::string& state_dir, const std::string& id) {
  return ContainerPaths{containers_path(state_dir) + "/" + id};
}

}  // namespace berth::drivers
