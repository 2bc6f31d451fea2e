// SPDX-License-Identifier: Apache-2.0
// What a session is asked to run.
#pragma once

#include <map>
#include <string>

namespace berth::slotd {

struct SessionCommand {
  std::string text;                              // any shell text
  std::map<std::string, std::string> variables;  // exported before; names as are_variable_names() wants them
};

}  // namespace berth::slotd
