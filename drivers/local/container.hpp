// SPDX-License-Identifier: Apache-2.0
// One slotd process from its directory to its last trace. Used by LocalDriver only, on its io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "drivers/driver.hpp"
#include "drivers/local/local_driver.hpp"
#include "drivers/local/process.hpp"
#include "drivers/paths.hpp"

namespace berth::drivers {

class LocalContainer : public std::enable_shared_from_this<LocalContainer> {
 public:
  using Heard = std::function<void(const ContainerFacts&)>;

  // `heard` gets every change; `gone` comes last, once, when process and directory are no more.
  LocalContainer(boost::asio::io_context& context, const LocalOptions& options, ContainerSpec spec, Heard heard);

  // Runs the container's whole life. The driver keeps the object until `gone`.
  [[nodiscard]] boost::asio::awaitable<void> run();

  // SIGTERM now, SIGKILL at the deadline. An earlier deadline may follow.
  void stop(Deadline kill_at);
  void kill();
  // The driver is going away: nobody is told any more, the process dies now.
  void abandon();

  // What could not be removed, after `gone`.
  [[nodiscard]] const std::optional<Error>& leftover() const { return leftover_; }
  [[nodiscard]] const ContainerFacts& facts() const { return facts_; }

 private:
  [[nodiscard]] Expected<UniqueFd> launch();
  [[nodiscard]] Expected<void> make_directories() const;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> become_ready(UniqueFd ready);
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> read_ready_line(UniqueFd ready);
  [[nodiscard]] Expected<void> accept_ready_line(const std::string& line);
  [[nodiscard]] boost::asio::awaitable<std::string> wait_for_end();
  void terminate();
  void clean_up();
  void publish(ContainerState state);
  [[nodiscard]] std::string last_log_lines() const;

  boost::asio::io_context& context_;
  LocalOptions options_;
  ContainerSpec spec_;
  ContainerPaths paths_;
  Heard heard_;
  ContainerFacts facts_;
  std::optional<ChildProcess> process_;
  UniqueFd lifeline_;
  boost::asio::steady_timer kill_timer_;
  boost::asio::steady_timer hurry_timer_;
  bool stopping_ = false;
  std::optional<Error> leftover_;
};

}  // namespace berth::drivers
