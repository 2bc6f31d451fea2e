// SPDX-License-Identifier: Apache-2.0
// How far a pull has come, over all layers. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "drivers/docker/answers.hpp"

namespace berth::drivers::docker {

class PullProgress {
 public:
  void note(const PullLine& line);
  // "2 of 5 layers, 30.5 MB of 77.0 MB"
  [[nodiscard]] std::string text() const;

 private:
  struct Layer {
    std::uint64_t current = 0;
    std::uint64_t total = 0;
    bool done = false;
  };
  std::map<std::string, Layer> layers_;
};

}  // namespace berth::drivers::docker
