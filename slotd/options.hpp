// SPDX-License-Identifier: Apache-2.0
// The command line of berth-slotd (wire.md 1.8) with the precedence flag, environment, configuration file, default.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

struct Options {
  std::string listen = "127.0.0.1";  // address, or "unix:PATH"
  std::uint16_t port = 8080;
  std::string data_dir = "/data";
  std::string token_sha256;  // hex; empty: open
  int ready_fd = -1;         // one JSON line is written there when the server listens, or cannot
  std::string ready_file;    // the same line, as a whole file that appears at once
  int lifeline_fd = -1;      // the server ends when this reaches end of file
  // The server ends when nobody has sent a request for so long; 0: never.
  std::chrono::seconds lonely_limit{0};
  // Network `allow`, this command line only: name servers instead of resolv.conf's, ranges that are reached though they
  // are not public, and how long a connection may carry nothing.
  std::string proxy_name_servers;
  std::vector<std::string> proxy_unsafe_ranges;
  std::chrono::seconds proxy_idle_limit{600};
  ContainerSpec spec;
  // As given on the command line; what is absent leaves the configuration file's word, or the default.
  std::optional<unsigned> slots;
  std::optional<std::string> isolation;
  std::string config_file;
  std::string token_file;
  bool version = false;
  std::string help;  // text to print instead of running; empty otherwise
};

// The command line alone. Errors have code "usage".
[[nodiscard]] Expected<Options> parse_options(int argc, char** argv);
// What the flags point to: configuration and token files; then what does not go together. After it `spec` is final.
[[nodiscard]] Expected<void> complete_options(Options& options);

}  // namespace berth::slotd
