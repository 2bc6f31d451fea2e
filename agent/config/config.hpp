// SPDX-License-Identifier: Apache-2.0
// The agent's configuration (design section 3): a flag beats the environment beats the file beats the default, and each
// value knows where it came from. Secrets are never in it, only the names of their files. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "berth/call.hpp"
#include "jobs/job.hpp"

namespace berth::agent {

// One key as it was found. Paths are absolute: those of the file are relative to it, the others to the current folder.
struct Setting {
  std::string key;                // "log.level"
  std::vector<std::string> text;  // its value; empty: none. More than one only for lists
  std::string origin;             // "FILE:LINE:COLUMN", "--listen", "NOMAD_ADDR", "default"
};

struct Config {
  std::string listen;  // HOST:PORT, [HOST]:PORT or unix:PATH
  std::string state_dir;
  std::string tokens;  // file; empty: none
  std::string tls_cert, tls_key;
  std::string slotd;        // as --slotd; empty: searched
  std::string jobs;         // folder; empty: none
  std::string default_job;  // of the tool-executor routes; empty: none
  std::chrono::milliseconds batch_window{0};
  std::size_t max_batch = 200;
  Seconds max_timeout{3600};
  std::chrono::milliseconds drain{30'000};  // how long running calls may go on after SIGTERM
  std::string tool_server_url, tool_server_token_file;
  std::string docker_host;  // empty: the usual socket
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  std::vector<Setting> settings;  // every key, in the order of the table
};

// What a program was started with.
struct ConfigSources {
  std::string file;                                     // --config; empty: none
  std::map<std::string, std::string> flags;             // "--listen" -> value
  std::function<const char*(const char*)> environment;  // getenv; null: nothing is set
  std::string current_folder;                           // absolute
  bool root = false;                                    // decides where the state is kept
};

// All complaints at once: FILE:LINE:COLUMN, or the flag or variable.
[[nodiscard]] tl::expected<Config, jobs::Diagnostics> load_config(const ConfigSources& sources);

// The configuration as a YAML file that means the same, each line with its origin as a comment.
[[nodiscard]] std::string print_config(const Config& config);
// {"log.level": {"value": "info", "origin": "default"}, ...} as JSON on one line.
[[nodiscard]] std::string print_config_json(const Config& config);

// Keys whose values differ, for a reload that can only take some of them.
[[nodiscard]] std::vector<std::string> changed_keys(const Config& before, const Config& after);

}  // namespace berth::agent
