// SPDX-License-Identifier: Apache-2.0
// A berth-slotd of our own: started on a free loopback port, ended with this object.
#pragma once

#include <sched.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "bench/agent_process.hpp"
#include "bench/caller.hpp"
#include "berth/error.hpp"

namespace berth::bench {

struct ProcessCount {
  int alive = 0;
  int zombies = 0;
};

// A value of /proc/PID/status in MiB, e.g. "VmRSS", "VmHWM".
[[nodiscard]] Expected<double> memory_of(int pid, const std::string& key);

// Of a process in a container.
[[nodiscard]] inline std::string system_of(int pid) {
  return "/proc/" + std::to_string(pid) + "/root";
}

class SlotdProcess {
 public:
  // Waits until it is ready. `binary` is the file to run; the data directory is fresh and removed at the end.
  [[nodiscard]] static Expected<SlotdProcess> start(const std::string& binary, int slots);
  // One that an agent has started elsewhere and that ends with the agent; `pid` is its number on this machine.
  SlotdProcess(AgentProcess agent, int pid, Endpoint where);
  SlotdProcess(SlotdProcess&& other) noexcept;
  SlotdProcess& operator=(SlotdProcess&&) = delete;
  ~SlotdProcess();

  [[nodiscard]] const Endpoint& where() const { return where_; }
  [[nodiscard]] int pid() const { return pid_; }
  // What it finds at "/".
  [[nodiscard]] std::string system() const { return agent_ ? system_of(pid_) : "/"; }

  [[nodiscard]] Expected<double> memory(const std::string& key) const { return memory_of(pid_, key); }
  // Makes VmHWM start again from the present size.
  [[nodiscard]] Expected<void> forget_peak() const;
  // Every process below slotd, itself not counted.
  [[nodiscard]] std::vector<int> descendants() const;
  [[nodiscard]] ProcessCount count_descendants() const;
  // The cores for it and for every process below it.
  void keep_to(const cpu_set_t& cores) const;
  // Proportional set size of one process in MiB.
  [[nodiscard]] static Expected<double> proportional_memory(int pid);

 private:
  SlotdProcess() = default;

  int pid_ = -1;
  Endpoint where_{std::uint16_t{0}};
  std::optional<AgentProcess> agent_;  // whose container it runs in
  UniqueFd lifeline_;
  std::string data_dir_;
};

}  // namespace berth::bench
