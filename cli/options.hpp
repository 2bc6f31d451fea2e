// SPDX-License-Identifier: Apache-2.0
// What the user typed, and what each command does with it. Every command returns the program's exit code.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/job.hpp"

namespace berth::cli {

// Exit codes (wire.md 1.18).
inline constexpr int kSuccess = 0;
inline constexpr int kStepFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kPlatform = 3;
inline constexpr int kExecTimeout = 124;
inline constexpr int kExecPlatform = 125;
inline constexpr int kInterrupted = 130;

struct JobOptions {
  std::string file;
  std::vector<std::string> sets;
  std::string driver;  // empty: what the file says
  std::string slotd;   // --slotd
};

struct RunOptions {
  JobOptions job;
  bool json = false;
  bool keep = false;
};

struct ExecOptions {
  JobOptions job;
  std::string target;  // the first word that is no option: a lease or slot; with --job the command's first
  std::vector<std::string> command;
  std::string timeout = "1h";
  bool with_stdin = false;
};

struct ValidateOptions {
  JobOptions job;
  bool json = false;
};

struct AgentOptions {
  std::string file;                          // --config
  std::map<std::string, std::string> flags;  // "--listen" -> value
  bool print = false;                        // --print-config
  bool json = false;
};

struct BenchOptions {
  std::vector<std::string> arguments;  // given on as they are
};

[[nodiscard]] int run_command(const RunOptions& options);
[[nodiscard]] int exec_command(const ExecOptions& options);
[[nodiscard]] int validate_command(const ValidateOptions& options);
[[nodiscard]] int agent_command(const AgentOptions& options);
[[nodiscard]] int bench_command(const BenchOptions& options);
[[nodiscard]] int schema_command();
[[nodiscard]] int version_command();

// The job of the options; complaints go to stderr.
[[nodiscard]] std::optional<jobs::Job> load(const JobOptions& options);
// Whether this version can run the job where it is asked to; if not, says why on stderr and gives the exit code.
[[nodiscard]] std::optional<int> refuse_what_is_not_here(const jobs::Job& job);

}  // namespace berth::cli
