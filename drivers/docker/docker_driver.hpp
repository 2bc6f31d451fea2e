// SPDX-License-Identifier: Apache-2.0
// Containers of the Docker Engine, out of any image: berth-slotd is put into each before it starts and is its first
// process. One stream of events tells what becomes of them all; when it was cut they are listed anew.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "drivers/docker/docker_options.hpp"
#include "drivers/driver.hpp"

namespace berth::drivers {

class DockerDriver final : public Driver {
 public:
  DockerDriver(boost::asio::io_context& context, DockerOptions options);
  // Leaves what still runs to the next life of the agent, and to loneliness; prefer remove().
  ~DockerDriver() override;

  [[nodiscard]] std::string_view name() const override { return "docker"; }
  void watch(Watcher watcher) override;
  // With an engine that is away a start fails ("engine_away"), and an end waits for it.
  void converge(std::vector<Wanted> wanted) override;
  // Leases do not survive an agent, so containers with its label are removed; returns none. An engine that is away is
  // no error: they are removed when it is back. Containers of others are never touched.
  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<ContainerFacts>>> adopt() override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline graceful_until) override;
  [[nodiscard]] boost::asio::awaitable<Expected<Usage>> usage(std::string id, Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<Expected<LogPart>> read_log(std::string id, std::string after,
                                                                   Deadline deadline) override;
  void stop_all(Deadline kill_at) override;
  void kill_all() override;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace berth::drivers
