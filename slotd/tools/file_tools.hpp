// SPDX-License-Identifier: Apache-2.0
// `read_file` {path, offset, limit} and `write_file` {path, content}: byte-faithful, atomic, inside the workspace.
#pragma once

#include <memory>

#include "slotd/tools/tool.hpp"

namespace berth::slotd {

[[nodiscard]] std::unique_ptr<Tool> make_read_file_tool();
[[nodiscard]] std::unique_ptr<Tool> make_write_file_tool();

}  // namespace berth::slotd
