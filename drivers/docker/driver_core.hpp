// SPDX-License-Identifier: Apache-2.0
// The driver as its coroutines know it: it lives until the last of them has ended. Internal to drivers/docker.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "drivers/docker/container.hpp"
#include "drivers/docker/docker_driver.hpp"

namespace berth::drivers {

class DockerDriver::Core : public std::enable_shared_from_this<DockerDriver::Core> {
 public:
  Core(boost::asio::io_context& context, DockerOptions options);

  void watch(Watcher watcher) { watcher_ = std::move(watcher); }
  void converge(std::vector<Wanted> wanted);
  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<ContainerFacts>>> adopt();
  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline graceful_until);
  void stop_all(Deadline kill_at);
  void kill_all();
  void close();

 private:
  using Listed = std::vector<docker::ListedContainer>;

  void start(Wanted wanted);
  void heard(const ContainerFacts& facts);
  void watch_engine_once();
  [[nodiscard]] boost::asio::awaitable<void> watch_engine();
  void tell_whether_away(const Expected<void>& followed);
  [[nodiscard]] boost::asio::awaitable<bool> catch_up();
  [[nodiscard]] boost::asio::awaitable<void> hear_events();
  [[nodiscard]] boost::asio::awaitable<void> remove_strays(Listed listed);
  void remove_stray_folders() const;

  boost::asio::io_context& context_;
  std::shared_ptr<docker::Yard> yard_;
  boost::asio::steady_timer changed_;  // cancelled when a container has gone
  boost::asio::steady_timer pause_;    // before an engine that was away is asked again
  docker::Engine::Stream events_;
  Watcher watcher_;
  std::map<std::string, std::shared_ptr<docker::Container>> containers_;
  std::set<std::string> ended_;    // wanted ids that have gone
  std::optional<Error> leftover_;  // the first thing that could not be removed
  bool watching_ = false;
  bool away_ = false;  // the engine, and that was told
  bool closed_ = false;
};

}  // namespace berth::drivers
