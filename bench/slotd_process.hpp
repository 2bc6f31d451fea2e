// SPDX-License-Identifier: Apache-2.0
// A berth-slotd of our own: started on a free loopback port, ended with this object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::bench {

struct ProcessCount {
  int alive = 0;
  int zombies = 0;
};

// A value of /proc/PID/status in MiB, e.g. "VmRSS", "VmHWM".
[[nodiscard]] Expected<double> memory_of(int pid, const std::string& key);

class SlotdProcess {
 public:
  // Waits until it is ready. `binary` is the file to run; the data directory is fresh and removed at the end.
  [[nodiscard]] static Expected<SlotdProcess> start(const std::string& binary, int slots);
  SlotdProcess(SlotdProcess&& other) noexcept;
  SlotdProcess& operator=(SlotdProcess&&) = delete;
  ~SlotdProcess();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int pid() const { return pid_; }

  [[nodiscard]] Expected<double> memory(const std::string& key) const { return memory_of(pid_, key); }
  // Makes VmHWM start again from the present size.
  [[nodiscard]] Expected<void> forget_peak() const;
  // Every process below slotd, itself not counted.
  [[nodiscard]] std::vector<int> descendants() const;
  [[nodiscard]] ProcessCount count_descendants() const;
  // Proportional set size of one process in MiB.
  [[nodiscard]] static Expected<double> proportional_memory(int pid);

 private:
  SlotdProcess() = default;

  int pid_ = -1;
  std::uint16_t port_ = 0;
  UniqueFd lifeline_;
  std::string data_dir_;
};

}  // namespace berth::bench
