// SPDX-License-Identifier: Apache-2.0
// The folder that one agent owns for as long as it runs (wire.md 1.17): 0700, held by a lock that ends with the
// process.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::agent {

class StateDir {
 public:
  // Makes the folder and those above it where they are missing. Errors: "state_dir" (not a folder of ours),
  // "state_dir_in_use" (the message names who holds it), "system".
  [[nodiscard]] static Expected<StateDir> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  // Drawn when the folder is first used, and kept in it: names this agent over all its lives.
  [[nodiscard]] const std::string& agent_id() const { return agent_id_; }

 private:
  StateDir(std::string path, UniqueFd lock, std::string agent_id)
      : path_(std::move(path)), lock_(std::move(lock)), agent_id_(std::move(agent_id)) {}

  std::string path_;
  UniqueFd lock_;
  std::string agent_id_;
};

}  // namespace berth::agent
