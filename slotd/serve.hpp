// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/error.hpp"
#include "slotd/options.hpp"

namespace berth::slotd {

// Runs the server until SIGTERM, SIGINT or the end of its lifeline: calls in flight get three seconds to be answered,
// then they are cancelled; every process of every slot is dead when it returns. An error means that it never served.
[[nodiscard]] Expected<void> serve(const Options& options);

// The ready line of a server that could not start.
void announce_failure(int ready_fd, const Error& error);

}  // namespace berth::slotd
