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

Error unknown_container(const std::string& id) {
  return Error{"unknown_container", "there is no container " + id, "see berth containers"};
}

}  // namespace berth::drivers
