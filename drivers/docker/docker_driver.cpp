// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/docker_driver.hpp"

#include <algorithm>

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
asio::awaitable<Expected<Usage>> DockerDriver::usage(std::string id, Deadline deadline) {
  const auto container = core_->find(id);
  if (!container) co_return tl::unexpected(unknown_container(id));
  co_return co_await container->usage(deadline);
}
asio::awaitable<Expected<LogPart>> DockerDriver::read_log(std::string id, std::string after, Deadline deadline) {
  const auto container = core_->find(id);
  if (!container) co_return tl::unexpected(unknown_container(id));
  co_return co_await container->read_log(std::move(after), deadline);
}
void DockerDriver::stop_all(Deadline kill_at) {
  core_->stop_all(kill_at);
}
void DockerDriver::kill_all() {
  core_->kill_all();
}

DockerDriver::Core::Core(asio::io_context& context, DockerOptions options)
    : context_(context), pause_(context), containers_(context) {
  auto engine = std::make_shared<docker::Engine>(context, options.endpoint);
  auto images = std::make_shared<docker::Images>(context, engine, options);
  yard_ =
      std::make_shared<docker::Yard>(docker::Yard{context, std::move(options), std::move(engine), std::move(images)});
}

void DockerDriver::Core::converge(std::vector<Wanted> wanted) {
  if (!wanted.empty()) watch_engine_once();
  const Deadline kill_at(now() + yard_->options.stop_limit);
  containers_.converge(std::move(wanted), kill_at, [this](Wanted one) { return make(std::move(one)); });
}

std::shared_ptr<docker::Container> DockerDriver::Core::make(Wanted wanted) {
  return std::make_shared<docker::Container>(yard_, std::move(wanted),
                                             [weak = weak_from_this()](const ContainerFacts& facts) {
                                               if (const auto self = weak.lock()) self->containers_.heard(facts);
                                             });
}

asio::awaitable<Expected<void>> DockerDriver::Core::remove(Deadline graceful_until) {
  const auto self = shared_from_this();
  stop_all(graceful_until);
  const TimePoint begin = std::max(graceful_until.at(), now());
  const TimePoint give_up = Deadline::after(begin, kRemoveGrace).at();
  for (auto& [id, container] : containers_.all()) container->give_up_at(Deadline(give_up));
  co_await containers_.none_left(Deadline::after(give_up, kLastLookGrace).at());
  const auto& left = containers_.all();
  if (!left.empty()) {
    const std::string name = docker::container_name(left.begin()->first);
    co_return fail("leftover", "the Docker Engine does not remove " + name, "docker rm -fv " + name);
  }
  if (containers_.leftover()) co_return tl::unexpected(*containers_.leftover());
  co_return Expected<void>{};
}

void DockerDriver::Core::close() {
  closed_ = true;
  containers_.abandon_all();
  yard_->images->close();
  if (events_) events_->close();
  pause_.cancel();
}

}  // namespace berth::drivers
