// SPDX-License-Identifier: Apache-2.0
// What every driver does: it makes the containers that exist equal to those that are wanted and tells of each change.
// A driver lives on one io_context and is used from its thread only; nothing here blocks.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::drivers {

enum class ContainerState { starting, running, stopping, gone };
[[nodiscard]] std::string_view to_string(ContainerState state);

// A container as it is wanted: what its slotd reads, and what the driver alone has to know.
struct Wanted {
  ContainerSpec spec;
  std::string driver = "local";  // whose it is
  std::string job;
  std::string image;          // drivers that know images
  std::optional<double> cpu;  // cores of the whole container; none: unlimited, as below
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::string network;  // the engine's network for containers that need one; empty: its default
};

// A container as its driver sees it.
struct ContainerFacts {
  std::string id;
  ContainerState state = ContainerState::starting;
  std::string address;  // "unix:PATH" or "http://host:port"; set while running
  std::string boot_id;  // slotd's; set while running
  unsigned slots = 0;
  std::optional<Error> error;  // with gone: why, when nobody asked for it
};

// What a container has used and holds, its slots included. None: not known.
struct Usage {
  std::optional<double> cpu_seconds;          // since it started
  std::optional<std::uint64_t> memory_bytes;  // without what the kernel can take back at once
  std::optional<std::uint64_t> pids;
};

// A piece of a container's own log, which is that of its slot server.
struct LogPart {
  std::string text;  // empty: nothing new
  std::string next;  // goes on after this part
};

// Called on the driver's thread, never from inside a call to the driver.
using Watcher = std::function<void(const ContainerFacts&)>;

class Driver {
 public:
  virtual ~Driver() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  // Whether containers that are wanted of `driver` can be had here.
  [[nodiscard]] virtual bool serves(std::string_view driver) const { return driver == name(); }

  // Replaces the watcher. Every change of every container reaches it promptly; `gone` is each container's last.
  virtual void watch(Watcher watcher) = 0;

  // Starts what is wanted and missing, stops what is there and not wanted. Returns at once; the watcher hears the rest.
  // An id that has gone is not started again while it stays wanted.
  virtual void converge(std::vector<Wanted> wanted) = 0;

  // Containers of an earlier life of this agent that still run. What a dead one left behind is removed.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<std::vector<ContainerFacts>>> adopt() = 0;

  // Ends every container and removes all that the driver made. Graceful until the deadline, then by force; returns when
  // nothing is left, or an error that names what is.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<void>> remove(Deadline graceful_until) = 0;

  // Of a container that runs. Errors: "unknown_container", "unknown_usage", and the driver's own.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<Usage>> usage(std::string id, Deadline deadline) = 0;
  // What its log has after `after`, which is a LogPart's `next`, or empty: from the beginning. Errors:
  // "unknown_container", "bad_request", and the driver's own.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<LogPart>> read_log(std::string id, std::string after,
                                                                           Deadline deadline) = 0;

  // Both for use while remove() is awaited: an earlier end of every container, or its end by force now.
  virtual void stop_all(Deadline kill_at) = 0;
  virtual void kill_all() = 0;
};

[[nodiscard]] Error unknown_container(const std::string& id);

}  // namespace berth::drivers
