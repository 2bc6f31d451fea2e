// SPDX-License-Identifier: Apache-2.0
// Workspaces that are directories (slot.storage: host). With storage memory there is nothing to do: the room's tmpfs
// goes with the room.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

// The directory to show as /workspace; empty for storage memory.
[[nodiscard]] std::string host_workspace(const ContainerSpec& spec, const std::string& workspace_dir);

// Makes the directory if it is not there. With `empty`, an old tree is moved aside and deleted off the event loop.
[[nodiscard]] boost::asio::awaitable<Expected<void>> prepare_workspace(const ContainerSpec& spec,
                                                                       std::string workspace_dir, bool empty);

}  // namespace berth::slotd
