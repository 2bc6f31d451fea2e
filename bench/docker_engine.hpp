// SPDX-License-Identifier: Apache-2.0
// The yardstick of containers: what the engine itself takes to have one up, as `docker run` asks it to.
#pragma once

#include <string>
#include <vector>

#include "berth/error.hpp"

namespace berth::bench {

// Plain containers of an image with a shell, each of which says that it is up. They are removed with this object.
class PlainContainers {
 public:
  // `engine`: the path of its socket.
  PlainContainers(std::string engine, std::string image) : engine_(std::move(engine)), image_(std::move(image)) {}
  PlainContainers(const PlainContainers&) = delete;
  PlainContainers& operator=(const PlainContainers&) = delete;
  ~PlainContainers();

  // Milliseconds until all of `count`, asked for at the same time, have said that they are up. Once for each object.
  [[nodiscard]] Expected<double> start(int count);

 private:
  std::string engine_;
  std::string image_;
  std::string folder_;  // where they say so
  std::vector<std::string> ids_;
};

}  // namespace berth::bench
