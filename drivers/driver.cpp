// SPDX-License-Identifier: Apache-2.0
#include "drivers/driver.hpp"

namespace berth::drivers {

std::string_view to_string(ContainerState state) {
  switch (state) {
    case ContainerState::starting: return "starting";
    case ContainerState::running: return "running";
    case ContainerState::stopping: return "stopping";
    case ContainerState::gone: return "gone";
  }
  return "unknown";
}

}  // namespace berth::drivers
