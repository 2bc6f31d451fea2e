// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/local_driver.hpp"

#include <system_error>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>

#include "drivers/local/container.hpp"
#include "drivers/local/remove.hpp"

namespace berth::drivers {

namespace asio = boost::asio;

namespace {
// After SIGKILL a process can only be late because the kernel still tears its memory down.
constexpr std::chrono::seconds kKillGrace{5};
}  // namespace

LocalDriver::LocalDriver(asio::io_context& context, LocalOptions options)
    : context_(context), options_(std::move(options)), changed_(context) {}

LocalDriver::~LocalDriver() {
  for (auto& [id, container] : containers_) container->abandon();
}

void LocalDriver::watch(Watcher watcher) {
  watcher_ = std::move(watcher);
}

void LocalDriver::converge(std::vector<Wanted> wanted) {
  std::set<std::string> ids;
  for (const Wanted& each : wanted) ids.insert(each.spec.id);
  std::erase_if(ended_, [&ids](const std::string& id) { return !ids.contains(id); });
  const Deadline kill_at(now() + options_.stop_limit);
  for (auto& [id, container] : containers_)
    if (!ids.contains(id) && container->facts().state != ContainerState::stopping) container->stop(kill_at);
  for (Wanted& each : wanted)
    if (!containers_.contains(each.spec.id) && !ended_.contains(each.spec.id)) start(std::move(each.spec));
}

void LocalDriver::start(ContainerSpec spec) {
  const std::string id = spec.id;
  auto container = std::make_shared<LocalContainer>(context_, options_, std::move(spec),
                                                    [this](const ContainerFacts& facts) { heard(facts); });
  containers_.emplace(id, container);
  asio::co_spawn(
      context_, [container] { return container->run(); }, asio::detached);
}

void LocalDriver::heard(const ContainerFacts& facts) {
  if (facts.state == ContainerState::gone) {
    const auto found = containers_.find(facts.id);
    if (found != containers_.end()) {
      if (!leftover_) leftover_ = found->second->leftover();
      containers_.erase(found);
    }
    ended_.insert(facts.id);
    changed_.cancel();
  }
  if (watcher_) watcher_(facts);
}

asio::awaitable<Expected<std::vector<ContainerFacts>>> LocalDriver::adopt() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(containers_path(options_.state_dir), error)) {
    if (containers_.contains(entry.path().filename().string())) continue;
    const std::error_code removing = remove_container_tree(entry.path().string());
    if (removing) co_return fail("leftover", "removing " + entry.path().string() + ": " + removing.message());
  }
  co_return std::vector<ContainerFacts>{};
}

void LocalDriver::stop_all(Deadline kill_at) {
  for (auto& [id, container] : containers_) container->stop(kill_at);
}

void LocalDriver::kill_all() {
  for (auto& [id, container] : containers_) container->kill();
}

asio::awaitable<Expected<void>> LocalDriver::remove(Deadline graceful_until) {
  stop_all(graceful_until);
  const TimePoint now = berth::now();
  const TimePoint give_up = Deadline::after(std::max(graceful_until.at(), now), kKillGrace).at();
  while (!containers_.empty() && berth::now() < give_up) {
    changed_.expires_at(give_up);
    co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (!containers_.empty())
    co_return fail("leftover", "berth-slotd of " + containers_.begin()->first + " cannot be killed");
  if (leftover_) co_return tl::unexpected(*leftover_);
  co_return Expected<void>{};
}

}  // namespace berth::drivers
