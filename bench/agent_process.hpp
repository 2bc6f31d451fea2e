// SPDX-License-Identifier: Apache-2.0
// A `berth agent` of our own: on a free loopback port, with a state directory that is removed at the end.
#pragma once

#include <cstdint>
#include <string>

#include "berth/error.hpp"

namespace berth::bench {

class AgentProcess {
 public:
  // Waits until it serves. `berth`: the program; `slotd`: the slot server that it starts.
  [[nodiscard]] static Expected<AgentProcess> start(const std::string& berth, const std::string& slotd);
  AgentProcess(AgentProcess&& other) noexcept;
  AgentProcess& operator=(AgentProcess&&) = delete;
  // Stops it and waits until it has ended.
  ~AgentProcess();

  // Applies a job and waits until it has its containers.
  [[nodiscard]] Expected<void> apply(const std::string& name, const std::string& job_file);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int pid() const { return pid_; }
  // Where a container's slot server listens.
  [[nodiscard]] std::string socket_of(const std::string& container) const;

 private:
  AgentProcess() = default;
  [[nodiscard]] Expected<void> wait_for_port();
  [[nodiscard]] std::string log_file() const { return folder_ + "/log"; }

  int pid_ = -1;
  std::uint16_t port_ = 0;
  std::string folder_;
};

}  // namespace berth::bench
