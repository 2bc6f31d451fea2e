// SPDX-License-Identifier: Apache-2.0
// The setup steps of a job: run once as a slot's root, in a layer that lies below all slots from then on (wire.md 2.6).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"
#include "isolation/room.hpp"

namespace berth::slotd {

class FileWorkers;

// Nothing to do without setup steps. Error code "setup_failed": the message carries the
// last 50 lines of output.
[[nodiscard]] boost::asio::awaitable<Expected<void>> run_setup_commands(boost::asio::any_io_executor executor,
                                                                        isolation::RoomFactory& factory,
                                                                        FileWorkers& cleaners,
                                                                        const ContainerSpec& spec);

}  // namespace berth::slotd
