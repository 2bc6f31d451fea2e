// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/docker_driver.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/http/await.hpp"
#include "drivers/docker/driver_core.hpp"

namespace berth::drivers {

namespace asio = boost::asio;

namespace {
// After SIGKILL, for the engine to remove what it holds of a container.
constexpr std::chrono::seconds kRemoveGrace{10};
constexpr std::chrono::seconds kLastLookGrace{3};
}  // namespace

DockerDriver::DockerDriver(asio::io_context& context, DockerOptions options)
    : core_(std::make_shared<Core>(context, std::move(options))) {}

DockerDriver::~DockerDriver() {
  core_->close();
}

void DockerDriver::watch(Watcher watcher) {
  core_->watch(std::move(watcher));
}
void DockerDriver::converge(std::vector<Wanted> wanted) {
  core_->converge(std::move(wanted));
}
asio::awaitable<Expected<std::vector<ContainerFacts>>> DockerDriver::adopt() {
  return core_->adopt();
}
asio::awaitable<Expected<void>> DockerDriver::remove(Deadline graceful_until) {
  return core_->remove(graceful_until);
}
void DockerDriver::stop_all(Deadline kill_at) {
  core_->stop_all(kill_at);
}
void DockerDriver::kill_all() {
  core_->kill_all();
}

DockerDriver::Core::Core(asio::io_context& context, DockerOptions options)
    : context_(context), changed_(context), pause_(context) {
  auto engine = std::make_shared<docker::Engine>(context, options.endpoint);
  auto images = std::make_shared<docker::Images>(context, engine, options);
  yard_ =
      std::make_shared<docker::Yard>(docker::Yard{context, std::move(options), std::move(engine), std::move(images)});
}

void DockerDriver::Core::converge(std::vector<Wanted> wanted) {
  std::set<std::string> ids;
  for (const Wanted& each : wanted) ids.insert(each.spec.id);
  std::erase_if(ended_, [&ids](const std::string& id) { return !ids.contains(id); });
  const Deadline kill_at(now() + yard_->options.stop_limit);
  for (auto& [id, container] : containers_)
    if (!ids.contains(id) && container->facts().state != ContainerState::stopping) container->stop(kill_at);
  if (!wanted.empty()) watch_engine_once();
  for (Wanted& each : wanted)
    if (!containers_.contains(each.spec.id) && !ended_.contains(each.spec.id)) start(std::move(each));
}

void DockerDriver::Core::start(Wanted wanted) {
  const std::string id = wanted.spec.id;
  auto container = std::make_shared<docker::Container>(yard_, std::move(wanted),
                                                       [weak = weak_from_this()](const ContainerFacts& facts) {
                                                         if (const auto self = weak.lock()) self->heard(facts);
                                                       });
  containers_.emplace(id, container);
  asio::co_spawn(
      context_, [container] { return container->run(); }, asio::detached);
}

void DockerDriver::Core::heard(const ContainerFacts& facts) {
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

void DockerDriver::Core::stop_all(Deadline kill_at) {
  for (auto& [id, container] : containers_) container->stop(kill_at);
}

void DockerDriver::Core::kill_all() {
  for (auto& [id, container] : containers_) container->kill();
}

asio::awaitable<Expected<void>> DockerDriver::Core::remove(Deadline graceful_until) {
  const auto self = shared_from_this();
  stop_all(graceful_until);
  const TimePoint begin = std::max(graceful_until.at(), now());
  const TimePoint give_up = Deadline::after(begin, kRemoveGrace).at();
  for (auto& [id, container] : containers_) container->give_up_at(Deadline(give_up));
  const TimePoint last_look = Deadline::after(give_up, kLastLookGrace).at();
  while (!containers_.empty() && now() < last_look) {
    changed_.expires_at(last_look);
    co_await changed_.async_wait(http::kAwait);
  }
  if (!containers_.empty())
    co_return fail("leftover",
                   "the Docker Engine does not remove " + docker::container_name(containers_.begin()->first),
                   "docker rm -fv " + docker::container_name(containers_.begin()->first));
  if (leftover_) co_return tl::unexpected(*leftover_);
  co_return Expected<void>{};
}

void DockerDriver::Core::close() {
  closed_ = true;
  watcher_ = nullptr;
  for (auto& [id, container] : containers_) container->abandon();
  containers_.clear();
  yard_->images->close();
  if (events_) events_->close();
  pause_.cancel();
}

}  // namespace berth::drivers
