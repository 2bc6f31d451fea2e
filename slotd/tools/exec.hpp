// SPDX-License-Identifier: Apache-2.0
// `exec` {argv, env, cwd, stdin, tty, background}: no shell involved. `bash` {command} is exec of [/bin/sh, -c, command].
#pragma once

#include <memory>

#include "slotd/tools/tool.hpp"

namespace berth::slotd {

[[nodiscard]] std::unique_ptr<Tool> make_exec_tool();
[[nodiscard]] std::unique_ptr<Tool> make_bash_tool();

}  // namespace berth::slotd
