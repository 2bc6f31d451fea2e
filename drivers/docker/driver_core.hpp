// SPDX-License-Identifier: Apache-2.0
// The driver as its coroutines know it: it lives until the last of them has ended. Internal to drivers/docker.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "drivers/container_book.hpp"
#include "drivers/docker/container.hpp"
#include "drivers/docker/docker_driver.hpp"

namespace berth::drivers {

class DockerDriver::Core : public std::enable_shared_from_this<DockerDriver::Core> {
 public:
  Core(boost::asio::io_context& context, DockerOptions options);

  void watch(Watcher watcher) { containers_.watch(std::move(watcher)); }
  void converge(std::vector<Wanted> wanted);
  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<ContainerFacts>>> adopt();
  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline graceful_until);
  [[nodiscard]] std::shared_ptr<docker::Container> find(const std::string& id) const { return containers_.find(id); }
  void stop_all(Deadline kill_at) { containers_.stop_all(kill_at); }
  void kill_all() { containers_.kill_all(); }
  void close();

 private:
  using Listed = std::vector<docker::ListedContainer>;

  [[nodiscard]] std::shared_ptr<docker::Container> make(Wanted wanted);
  void watch_engine_once();
  [[nodiscard]] boost::asio::awaitable<void> watch_engine();
  void tell_whether_away(const Expected<void>& followed);
  [[nodiscard]] boost::asio::awaitable<bool> catch_up();
  [[nodiscard]] boost::asio::awaitable<void> hear_events();
  [[nodiscard]] boost::asio::awaitable<void> remove_strays(Listed listed);

  boost::asio::io_context& context_;
  std::shared_ptr<docker::Yard> yard_;
  boost::asio::steady_timer pause_;  // before an engine that was away is asked again
  docker::Engine::Stream events_;
  ContainerBook<docker::Container> containers_;
  bool watching_ = false;
  bool away_ = false;  // the engine, and that was told
  bool closed_ = false;
};

}  // namespace berth::drivers
