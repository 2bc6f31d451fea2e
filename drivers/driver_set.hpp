// SPDX-License-Identifier: Apache-2.0
// Several drivers as one: each container goes to the driver that its job names.
#pragma once

#include <memory>
#include <vector>

#include "drivers/driver.hpp"

namespace berth::drivers {

class DriverSet final : public Driver {
 public:
  // At least one.
  explicit DriverSet(std::vector<std::unique_ptr<Driver>> drivers);

  [[nodiscard]] std::string_view name() const override { return drivers_.front()->name(); }
  [[nodiscard]] bool serves(std::string_view driver) const override;
  void watch(Watcher watcher) override;
  // Only of drivers that serves() knows.
  void converge(std::vector<Wanted> wanted) override;
  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<ContainerFacts>>> adopt() override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline graceful_until) override;
  [[nodiscard]] boost::asio::awaitable<Expected<Usage>> usage(std::string id, Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<Expected<LogPart>> read_log(std::string id, std::string after,
                                                                   Deadline deadline) override;
  void stop_all(Deadline kill_at) override;
  void kill_all() override;

 private:
  std::vector<std::unique_ptr<Driver>> drivers_;
};

}  // namespace berth::drivers
