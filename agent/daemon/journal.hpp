// SPDX-License-Identifier: Apache-2.0
// The agent's decisions in the log, with the ids that they are about.
#pragma once

#include "agent/pool/effects.hpp"

namespace berth::agent {

// For RuntimeOptions::observer. Leases and containers at level info, slots at debug, what went wrong at warning.
void log_effect(const pool::Effect& effect);

}  // namespace berth::agent
