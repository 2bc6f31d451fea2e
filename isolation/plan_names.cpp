// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "isolation/plan.hpp"

namespace berth::isolation {
namespace {

constexpr std::array<std::string_view, kMeasureCount> kNames = {
    "user_namespace", "mount_namespace", "pid_namespace", "ipc_namespace", "uts_namespace", "network_namespace",
    "private_root",   "fresh_proc",      "masked_proc",   "minimal_dev",   "private_tmp",   "capabilities",
    "no_new_privs",   "seccomp",         "hidden_keeper", "new_session",   "clean_env",     "closed_descriptors",
    "memory_limit",   "pids_limit",      "cpu_limit",     "disk_limit",    "oom_score",     "shifted_ids",
};

}  // namespace

std::string_view to_string(Measure measure) {
  return kNames[static_cast<std::size_t>(measure)];
}

std::optional<Measure> measure_from_string(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Measure>(i);
  }
  return std::nullopt;
}

}  // namespace berth::isolation
