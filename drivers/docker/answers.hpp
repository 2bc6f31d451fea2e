// SPDX-License-Identifier: Apache-2.0
// What the Docker Engine says, as plain values. Pure; every error is "engine_protocol" (the answer is not what the
// Engine API promises).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/error.hpp"
#include "drivers/driver.hpp"

namespace berth::drivers::docker {

// How containers of ours are found again, and whose they are.
inline constexpr const char* kAgentLabel = "io.berth.agent";
inline constexpr const char* kJobLabel = "io.berth.job";
inline constexpr const char* kContainerLabel = "io.berth.container";
inline constexpr const char* kImageLabel = "io.berth.image";

struct EngineFacts {
  std::string version;
  std::string system;  // "linux", "windows"
  bool seccomp = false;
  bool apparmor = false;
  bool remaps_users = false;  // root of a container is another user outside
  bool cgroup_v1 = false;
  bool cgroupfs = false;  // groups are named by their paths
};
[[nodiscard]] Expected<EngineFacts> read_info(std::string_view body);

struct ImageFacts {
  std::string id;
  std::vector<std::string> env;  // NAME=VALUE
  std::string user;              // as USER says it
};
[[nodiscard]] Expected<ImageFacts> read_image(std::string_view body);

struct ListedContainer {
  std::string engine_id;
  std::string id;     // ours, by its label; empty: it has none
  std::string state;  // created, running, paused, restarting, removing, exited, dead
};
[[nodiscard]] Expected<std::vector<ListedContainer>> read_list(std::string_view body);

// How a container that does not run any more came to its end.
struct ContainerEnd {
  std::int64_t exit_code = 0;
  bool out_of_memory = false;  // the kernel had found it short of memory
  std::string error;           // the engine's own words, where it has any
};
[[nodiscard]] Expected<ContainerEnd> read_end(std::string_view body);

// What lies at a path of a container, as the header of an answer says it.
struct PathFacts {
  std::uint64_t size = 0;
  bool plain_file = false;
};
[[nodiscard]] Expected<PathFacts> read_path_facts(std::string_view header);

// Names.
[[nodiscard]] Expected<std::vector<std::string>> read_volumes(std::string_view body);

// What a container without a group of ours uses; what the answer leaves out is not known.
[[nodiscard]] Expected<Usage> read_usage(std::string_view body);

[[nodiscard]] Expected<std::string> read_created_id(std::string_view body);

struct EngineEvent {
  std::string action;  // start, die, oom, pause, destroy, ...
  std::string engine_id;
  std::string id;         // ours
  std::string exit_code;  // with die
};
[[nodiscard]] Expected<EngineEvent> read_event(std::string_view line);

// One line of a pull: an error ends it.
struct PullLine {
  std::string layer;
  std::string status;
  std::optional<std::uint64_t> current;
  std::optional<std::uint64_t> total;
  std::string error;
};
[[nodiscard]] Expected<PullLine> read_pull_line(std::string_view line);

// The engine's own words in an answer that refuses, on one line; what the status says where there are none.
[[nodiscard]] std::string read_refusal(int status, std::string_view body);
// What to do about it, where its words tell; else nothing.
[[nodiscard]] std::string way_out_of(std::string_view refusal);

// What a container without a terminal wrote: the frames of its log put together. A frame that claims more than there is
// ends the text.
[[nodiscard]] std::string read_log(std::string_view frames);

// The API's version in the answer to GET /version, as text; empty when there is none.
[[nodiscard]] std::string read_version(std::string_view body);
// "1.41" -> 41; nothing for another kind of version.
[[nodiscard]] std::optional<unsigned> read_api_version(std::string_view text);

}  // namespace berth::drivers::docker
