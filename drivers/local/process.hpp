// SPDX-License-Identifier: Apache-2.0
// A child process with an owner: started with an explicit environment and descriptors, watched through a pidfd.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::drivers {

// What the child gets; everything not named here it does not get.
struct SpawnRequest {
  std::vector<std::string> argv;                 // argv[0] is the program's path; PATH is not searched
  std::vector<std::string> environment;          // "NAME=VALUE"
  std::vector<std::pair<int, int>> descriptors;  // (ours, the child's number); 0 without one reads /dev/null
  std::string directory = "/";
};

// Not thread-safe. The destructor kills (SIGKILL) and reaps a child that still runs.
class ChildProcess {
 public:
  // The child leads a session of its own, with every signal at its default and none blocked.
  [[nodiscard]] static Expected<ChildProcess> spawn(const SpawnRequest& request);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable once the child has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // No effect on a child that was reaped.
  void signal(int number) const;
  // Reaps a child that has ended and says how ("exit code 3", "signal 9 (Killed)"); empty while it runs.
  [[nodiscard]] std::string reap();
  [[nodiscard]] bool reaped() const { return pid_ < 0; }

 private:
  ChildProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void kill_and_reap();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

}  // namespace berth::drivers
