// SPDX-License-Identifier: Apache-2.0
// One process, this one, that speaks the slot protocol for as many containers as agents start with program().
#pragma once

#include <memory>
#include <string>

#include "berth/error.hpp"

namespace berth::bench {

inline constexpr unsigned kFakeSlots = 10;  // of each container

class FakeContainers {
 public:
  // `launcher`: the built berth-bench-container.
  [[nodiscard]] static Expected<std::unique_ptr<FakeContainers>> start(const std::string& launcher);
  ~FakeContainers();
  FakeContainers(const FakeContainers&) = delete;
  FakeContainers& operator=(const FakeContainers&) = delete;

  // To be given to agents as their slot server.
  [[nodiscard]] std::string program() const { return folder_ + "/berth-slotd"; }

 private:
  class Hub;
  FakeContainers() = default;

  std::string folder_;
  std::unique_ptr<Hub> hub_;
};

}  // namespace berth::bench
