// SPDX-License-Identifier: Apache-2.0
// `tmux` {action: start | send_keys | capture | stream | stop}: the slot's terminal as terminal multiplexers show it,
// without one.
#pragma once

#include <memory>

#include "slotd/tools/tool.hpp"

namespace berth::slotd {

[[nodiscard]] std::unique_ptr<Tool> make_tmux_tool();

}  // namespace berth::slotd
