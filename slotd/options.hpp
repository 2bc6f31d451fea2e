// SPDX-License-Identifier: Apache-2.0
// The command line of berth-slotd (wire.md 1.8) with the precedence flag, environment, configuration file, default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

struct Options {
  std::string listen = "127.0.0.1";  // address, or "unix:PATH"
  std::uint16_t port = 8080;
  std::string data_dir;
  std::string token_sha256;  // hex; empty: open
  int ready_fd = -1;         // one JSON line is written there when the server listens, or cannot
  int lifeline_fd = -1;      // the server ends when this reaches end of file
  ContainerSpec spec;
  bool version = false;
  std::string help;  // text to print instead of running; empty otherwise
};

// Errors have code "usage".
[[nodiscard]] Expected<Options> parse_options(int argc, char** argv);

}  // namespace berth::slotd
