// SPDX-License-Identifier: Apache-2.0
// Commands that talk to an agent, and what the user typed. Every command returns the program's exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"

namespace berth::cli {

enum class Listing { jobs, containers, slots, leases };
struct ListOptions {
  Listing what = Listing::jobs;
  std::string job;  // only of this one
  bool json = false;
};

struct ApplyOptions {
  JobOptions job;
  bool json = false;
};
struct DeleteOptions {
  std::string job;  // its name, or a job file
  bool force = false;
  bool json = false;
};

struct EventsOptions {
  bool follow = false;
  bool json = false;
  std::string after;  // event id
};

struct AcquireOptions {
  std::string job;
  std::string trajectory;
  std::string wait = "0s";
  std::string ttl, idle;
  std::vector<std::string> labels;  // KEY=VALUE
  bool json = false;
};
struct LeaseOptions {
  std::vector<std::string> leases;
  std::string wait = "60s";  // of reset
  bool json = false;
};

struct CopyOptions {
  std::string from, to;  // one of them LEASE:PATH
  bool json = false;
};
struct LogsOptions {
  std::string whose;      // a container, or the lease of
  std::string execution;  // this; empty: the container's own log
  std::string stream = "stdout";
  bool follow = false;
};

[[nodiscard]] int list_command(const ListOptions& options);
[[nodiscard]] int plan_command(const ApplyOptions& options);
[[nodiscard]] int apply_command(const ApplyOptions& options);
[[nodiscard]] int delete_command(const DeleteOptions& options);
[[nodiscard]] int events_command(const EventsOptions& options);
[[nodiscard]] int acquire_command(const AcquireOptions& options);
[[nodiscard]] int release_command(const LeaseOptions& options);
[[nodiscard]] int reset_command(const LeaseOptions& options);
[[nodiscard]] int copy_command(const CopyOptions& options);
[[nodiscard]] int logs_command(const LogsOptions& options);

}  // namespace berth::cli
