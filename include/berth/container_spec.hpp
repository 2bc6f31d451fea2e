// SPDX-License-Identifier: Apache-2.0
// What a container is to be: written by a driver, read by berth-slotd (--config FILE, JSON). Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/error.hpp"

namespace berth {

enum class IsolationLevel : std::uint8_t { strict, best_effort, none };  // "strict", "best-effort", "none"
enum class NetworkMode : std::uint8_t { none, full, allow };             // "none", "full", "allow"
enum class StorageMode : std::uint8_t { memory, host };                  // "memory", "host"
enum class RootMode : std::uint8_t { machine, container };               // "machine", "container"

[[nodiscard]] std::string_view to_string(IsolationLevel level);
[[nodiscard]] std::string_view to_string(NetworkMode mode);
[[nodiscard]] std::string_view to_string(StorageMode mode);
[[nodiscard]] std::string_view to_string(RootMode mode);
[[nodiscard]] std::optional<IsolationLevel> isolation_level_from_string(std::string_view text);
[[nodiscard]] std::optional<NetworkMode> network_mode_from_string(std::string_view text);
[[nodiscard]] std::optional<StorageMode> storage_mode_from_string(std::string_view text);
[[nodiscard]] std::optional<RootMode> root_mode_from_string(std::string_view text);

// Limits of one slot. The defaults are those of wire.md 2.1.
struct SlotSpec {
  std::optional<double> cpu;  // cores; none: unlimited
  std::uint64_t memory_bytes = std::uint64_t{512} << 20;
  std::uint64_t pids = 128;
  std::uint64_t disk_bytes = std::uint64_t{256} << 20;
  NetworkMode network = NetworkMode::none;
  std::vector<std::string> allow{};  // network allow: patterns of base/allow_list.hpp, at least one; else empty
  StorageMode storage = StorageMode::memory;
  std::optional<std::uint64_t> output_kill_bytes;
};

struct ContainerSpec {
  std::string id = "local";  // [a-z0-9-]{1,63}: names cgroups and log records
  unsigned slots = 10;       // 1 .. 1000
  SlotSpec slot;
  IsolationLevel isolation = IsolationLevel::strict;
  // Which of "cpu", "memory", "pids", "disk" the job file names itself: strict refuses to run without enforcing these,
  // while a default that cannot be enforced is only reported (wire.md 2.4).
  std::vector<std::string> named_limits;
  std::map<std::string, std::string> env;
  std::vector<std::string> setup;  // run once, in a layer below all slots
  // What slots see: the machine's /usr and a minimal /etc, or the whole root of the container that slotd runs in.
  RootMode root = RootMode::machine;
  std::string rootfs;  // root machine: a directory to show instead of the machine's own /usr
  // The image's USER: "", or a user, or USER:GROUP, each a name of the root's own /etc/passwd and /etc/group or a
  // number. Commands run under these ids; setup steps as uid 0.
  std::string user;
  std::vector<std::string> image_env;  // the image's ENV, NAME=VALUE; weaker than everything but our defaults
  double max_timeout_seconds = 3600;
  // Names of isolation measures to leave out (isolation/plan.hpp); refused under strict. Reported in /health.
  std::vector<std::string> measures_off;
};

// Strict both ways: unknown keys, wrong types and values out of range are errors that name the key.
[[nodiscard]] Expected<ContainerSpec> container_spec_from_json(std::string_view text);
[[nodiscard]] std::string container_spec_to_json(const ContainerSpec& spec);

}  // namespace berth
