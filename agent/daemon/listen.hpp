// SPDX-License-Identifier: Apache-2.0
// Where the agent listens, and whether it may without knowing who asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth::agent {

struct ListenAddress {
  std::string host;  // "127.0.0.1", "[::1]", or "unix:PATH"
  std::uint16_t port = 0;
  bool tls = false;  // never on a unix socket

  [[nodiscard]] bool is_unix() const { return host.starts_with("unix:"); }
  // Only programs of this machine can reach it.
  [[nodiscard]] bool is_local() const;
  // As BERTH_ADDR takes it. `bound`: the port that the system chose.
  [[nodiscard]] std::string url(std::uint16_t bound) const;
};

// "HOST:PORT", "[HOST]:PORT" or "unix:PATH". Error: "bad_listen".
[[nodiscard]] Expected<ListenAddress> parse_listen(std::string_view text);

// Without tokens whoever reaches the agent may do everything, so it must not be reachable from elsewhere.
// Error: "tokens_needed".
[[nodiscard]] Expected<void> check_exposure(const ListenAddress& address, bool has_tokens);

}  // namespace berth::agent
