// SPDX-License-Identifier: Apache-2.0
#include "drivers/driver_set.hpp"

#include <algorithm>
#include <iterator>

namespace berth::drivers {

namespace asio = boost::asio;

DriverSet::DriverSet(std::vector<std::unique_ptr<Driver>> drivers) : drivers_(std::move(drivers)) {}

bool DriverSet::serves(std::string_view driver) const {
  return std::any_of(drivers_.begin(), drivers_.end(), [driver](const auto& each) { return each->serves(driver); });
}

void DriverSet::watch(Watcher watcher) {
  for (const auto& driver : drivers_) driver->watch(watcher);
}

void DriverSet::converge(std::vector<Wanted> wanted) {
  for (const auto& driver : drivers_) {
    std::vector<Wanted> own;
    std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(own),
                 [&driver](const Wanted& each) { return driver->serves(each.driver); });
    driver->converge(std::move(own));
  }
}

asio::awaitable<Expected<std::vector<ContainerFacts>>> DriverSet::adopt() {
  std::vector<ContainerFacts> all;
  for (const auto& driver : drivers_) {
    auto found = co_await driver->adopt();
    if (!found) co_return tl::unexpected(found.error().within(driver->name()));
    std::move(found->begin(), found->end(), std::back_inserter(all));
  }
  co_return all;
}

asio::awaitable<Expected<void>> DriverSet::remove(Deadline graceful_until) {
  // Those whose turn comes later must not begin their end later.
  stop_all(graceful_until);
  Expected<void> result;
  for (const auto& driver : drivers_) {
    auto removed = co_await driver->remove(graceful_until);
    if (result && !removed) result = tl::unexpected(removed.error());
  }
  co_return result;
}

asio::awaitable<Expected<Usage>> DriverSet::usage(std::string id, Deadline deadline) {
  Expected<Usage> result = tl::unexpected(unknown_container(id));
  for (const auto& driver : drivers_) {
    result = co_await driver->usage(id, deadline);
    if (result || result.error().code != "unknown_container") break;
  }
  co_return result;
}

asio::awaitable<Expected<LogPart>> DriverSet::read_log(std::string id, std::string after, Deadline deadline) {
  Expected<LogPart> result = tl::unexpected(unknown_container(id));
  for (const auto& driver : drivers_) {
    result = co_await driver->read_log(id, after, deadline);
    if (result || result.error().code != "unknown_container") break;
  }
  co_return result;
}

void DriverSet::stop_all(Deadline kill_at) {
  for (const auto& driver : drivers_) driver->stop_all(kill_at);
}

void DriverSet::kill_all() {
  for (const auto& driver : drivers_) driver->kill_all();
}

}  // namespace berth::drivers
