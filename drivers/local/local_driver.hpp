// SPDX-License-Identifier: Apache-2.0
// Containers as plain processes of this machine: each is one berth-slotd with a unix socket in the state directory.
// A slotd ends with the driver (lifeline pipe), whatever ends the driver.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>

#include "drivers/container_book.hpp"

namespace berth::drivers {

struct LocalOptions {
  std::string state_dir;                           // exists, 0700, owned by this driver alone
  std::string slotd;                               // the program, as find_slotd() gives it
  std::chrono::milliseconds start_limit{30'000};   // until the ready line, without setup
  std::chrono::milliseconds setup_limit{630'000};  // more when the job has setup steps (10 minutes, wire.md 2.6)
  std::chrono::milliseconds stop_limit{2'000};     // from SIGTERM to SIGKILL when a container is no longer wanted
};

class LocalContainer;

class LocalDriver final : public Driver {
 public:
  LocalDriver(boost::asio::io_context& context, LocalOptions options);
  // Kills what still runs; prefer remove().
  ~LocalDriver() override;

  [[nodiscard]] std::string_view name() const override { return "local"; }
  void watch(Watcher watcher) override;
  void converge(std::vector<Wanted> wanted) override;
  // With a lifeline no container outlives its driver: removes what a killed one left in the state directory, returns
  // none.
  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<ContainerFacts>>> adopt() override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline graceful_until) override;
  // Not known: its slots have groups where there are any, the slot server has none.
  [[nodiscard]] boost::asio::awaitable<Expected<Usage>> usage(std::string id, Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<Expected<LogPart>> read_log(std::string id, std::string after,
                                                                   Deadline deadline) override;
  void stop_all(Deadline kill_at) override;
  void kill_all() override;

 private:
  boost::asio::io_context& context_;
  LocalOptions options_;
  ContainerBook<LocalContainer> containers_;
};

}  // namespace berth::drivers
