// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/error.hpp"
#include "slotd/options.hpp"

namespace berth::slotd {

// Runs the server until SIGTERM, SIGINT, the end of its lifeline or its lonely limit: calls in flight get three seconds
// to be answered (one as a container's first process), then they are cancelled; every process of every slot is dead
// when it returns. An error means that it never served.
[[nodiscard]] Expected<void> serve(const Options& options);

}  // namespace berth::slotd
