// SPDX-License-Identifier: Apache-2.0
// `bash_stateful` {command}: any shell text for the slot's live shell. Its output is what it wrote to the terminal.
#pragma once

#include <memory>

#include "slotd/tools/tool.hpp"

namespace berth::slotd {

[[nodiscard]] std::unique_ptr<Tool> make_bash_stateful_tool();

}  // namespace berth::slotd
