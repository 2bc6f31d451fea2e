// SPDX-License-Identifier: Apache-2.0
// Tells whoever started the server how its start went: one line of JSON, on --ready-fd, in --ready-file, or both.
#pragma once

#include <cstdint>
#include <string>

#include "berth/error.hpp"
#include "slotd/options.hpp"

namespace berth::slotd {

// Gives a socket to the owner of its folder, when we are root and they are not: an agent that is an ordinary user asks
// an engine for a container whose slotd is root, and is to reach it. The folder keeps everybody else out.
void give_socket_to_owner(const std::string& listen);

// Blocking, for microseconds; the descriptor is closed. A file that cannot be written is logged.
void announce_start(const Options& options, const std::string& boot_id, std::uint16_t port);
void announce_failure(const Options& options, const Error& error);

}  // namespace berth::slotd
