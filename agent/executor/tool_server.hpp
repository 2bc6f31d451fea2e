// SPDX-License-Identifier: Apache-2.0
// The service that executes tools which no slot has (facts/slot-protocol.md 6.3).
#pragma once

#include <optional>
#include <string>

#include "base/http/client.hpp"
#include "berth/error.hpp"

namespace berth::agent {

struct ToolServer {
  http::Address address;
  std::string target;  // of its /execute, with the path that its address has
  std::string token;   // a secret; empty: none
};

// Without an address there is none. Reads the token's file; blocking. Error "tool_server": what is wrong and which key.
[[nodiscard]] Expected<std::optional<ToolServer>> read_tool_server(const std::string& url,
                                                                   const std::string& token_file);

}  // namespace berth::agent
