// SPDX-License-Identifier: Apache-2.0
// The containers of one driver, by id: which run, which of the wanted have gone, who is told. Each driver on this
// machine keeps one; its containers differ. Used on the driver's io_context only.
//
// A Container has run(), stop(Deadline), kill(), abandon(), facts() and leftover(). It tells of its changes by heard()
// of this book, `gone` last and once.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "drivers/driver.hpp"

namespace berth::drivers {

template <class Container>
class ContainerBook {
 public:
  explicit ContainerBook(boost::asio::io_context& context) : context_(context), changed_(context) {}

  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  // Stops what is not wanted, until `kill_at` gracefully, and runs what `make(Wanted)` gives for what is missing.
  template <class Make>
  void converge(std::vector<Wanted> wanted, Deadline kill_at, const Make& make) {
    std::set<std::string> ids;
    for (const Wanted& each : wanted) ids.insert(each.spec.id);
    std::erase_if(ended_, [&ids](const std::string& id) { return !ids.contains(id); });
    for (auto& [id, container] : all_)
      if (!ids.contains(id) && container->facts().state != ContainerState::stopping) container->stop(kill_at);
    for (Wanted& each : wanted) {
      const std::string id = each.spec.id;
      if (!has(id) && !ended_.contains(id)) run(id, make(std::move(each)));
    }
  }

  // The container stays alive in its caller's hands, although the book may let go of it here.
  void heard(const ContainerFacts& facts) {
    if (facts.state == ContainerState::gone) forget(facts.id);
    if (watcher_) watcher_(facts);
  }

  void stop_all(Deadline kill_at) {
    for (auto& [id, container] : all_) container->stop(kill_at);
  }
  void kill_all() {
    for (auto& [id, container] : all_) container->kill();
  }
  // Nobody is told any more, and every container dies now.
  void abandon_all() {
    watcher_ = nullptr;
    for (auto& [id, container] : all_) container->abandon();
    all_.clear();
  }

  // Returns when none is left, at `give_up` at the latest.
  [[nodiscard]] boost::asio::awaitable<void> none_left(TimePoint give_up) {
    while (!all_.empty() && now() < give_up) {
      changed_.expires_at(give_up);
      co_await changed_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
  }

  [[nodiscard]] bool has(const std::string& id) const { return all_.contains(id); }
  // Null when there is none of that id.
  [[nodiscard]] std::shared_ptr<Container> find(const std::string& id) const {
    const auto found = all_.find(id);
    return found == all_.end() ? nullptr : found->second;
  }
  [[nodiscard]] const std::map<std::string, std::shared_ptr<Container>>& all() const { return all_; }
  // The first thing that a container could not remove.
  [[nodiscard]] const std::optional<Error>& leftover() const { return leftover_; }

 private:
  void run(const std::string& id, const std::shared_ptr<Container>& container) {
    all_.emplace(id, container);
    boost::asio::co_spawn(
        context_, [container] { return container->run(); }, boost::asio::detached);
  }

  void forget(const std::string& id) {
    const auto found = all_.find(id);
    if (found != all_.end()) {
      if (!leftover_) leftover_ = found->second->leftover();
      all_.erase(found);
    }
    ended_.insert(id);
    changed_.cancel();
  }

  boost::asio::io_context& context_;
  boost::asio::steady_timer changed_;  // cancelled when a container has gone
  Watcher watcher_;
  std::map<std::string, std::shared_ptr<Container>> all_;
  std::set<std::string> ended_;  // wanted ids that have gone
  std::optional<Error> leftover_;
};

}  // namespace berth::drivers
