// SPDX-License-Identifier: Apache-2.0
// What becomes of the driver's containers, as the engine tells it; and those that an earlier life left.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/http/await.hpp"
#include "base/log.hpp"
#include "drivers/docker/driver_core.hpp"
#include "drivers/remove.hpp"

namespace berth::drivers {

namespace asio = boost::asio;

namespace {
// An engine that is away must not hold up the start of an agent that may not need it.
constexpr std::chrono::seconds kAdoptLimit{5};
}  // namespace

asio::awaitable<Expected<std::vector<ContainerFacts>>> DockerDriver::Core::adopt() {
  const auto self = shared_from_this();
  const auto listed = co_await yard_->engine->list(yard_->options.agent_id, Deadline(now() + kAdoptLimit));
  if (listed) {
    co_await remove_strays(*listed);
    const Deadline limit(now() + yard_->options.engine_limit);
    const auto cleared = co_await yard_->engine->remove_volumes(yard_->options.agent_id, "", limit);
    if (!cleared)
      log(LogLevel::warning, "volumes of an earlier life cannot be removed", {{"why", cleared.error().message}});
    watch_engine_once();
  } else {
    log(LogLevel::info, "no Docker Engine yet; jobs with driver docker need one", {{"why", listed.error().message}});
  }
  const auto removed =
      remove_stray_folders(yard_->options.state_dir, [this](const std::string& id) { return containers_.has(id); });
  if (!removed)
    log(LogLevel::warning, "what an earlier life left cannot be removed", {{"why", removed.error().message}});
  co_return std::vector<ContainerFacts>{};
}

void DockerDriver::Core::watch_engine_once() {
  if (std::exchange(watching_, true)) return;
  asio::co_spawn(
      context_, [self = shared_from_this()] { return self->watch_engine(); }, asio::detached);
}

asio::awaitable<void> DockerDriver::Core::watch_engine() {
  const auto self = shared_from_this();
  while (!closed_) {
    events_ = yard_->engine->new_stream();
    const Deadline opened(now() + yard_->options.engine_limit);
    const auto followed = co_await yard_->engine->follow(events_, yard_->options.agent_id, opened);
    // The list comes after the stream has begun, so that nothing falls between the two.
    tell_whether_away(followed);
    bool current = false;
    if (followed) current = co_await catch_up();
    if (current) co_await hear_events();
    events_->close();
    if (closed_) break;
    pause_.expires_after(yard_->options.retry_pause);
    co_await pause_.async_wait(http::kAwait);
  }
}

void DockerDriver::Core::tell_whether_away(const Expected<void>& followed) {
  if (closed_ || away_ == !followed) return;
  away_ = !followed;
  if (away_) return log(LogLevel::warning, "the Docker Engine is away", {{"why", followed.error().message}});
  log(LogLevel::info, "the Docker Engine is back", {{"at", yard_->engine->where()}});
}

asio::awaitable<bool> DockerDriver::Core::catch_up() {
  const TimePoint asked = now();
  auto listed = co_await yard_->engine->list(yard_->options.agent_id, Deadline(asked + yard_->options.engine_limit));
  if (!listed) co_return false;
  for (const auto& [id, container] : containers_.all()) {
    const docker::ListedContainer* seen = nullptr;
    for (const docker::ListedContainer& each : *listed)
      if (each.id == id) seen = &each;
    container->compare(seen, asked);
  }
  asio::co_spawn(
      context_,
      [self = shared_from_this(), strays = std::move(*listed)]() mutable {
        return self->remove_strays(std::move(strays));
      },
      asio::detached);
  co_return true;
}

asio::awaitable<void> DockerDriver::Core::hear_events() {
  while (!closed_) {
    const Deadline silence(now() + yard_->options.event_silence);
    const auto line = co_await yard_->engine->next_line(events_, silence);
    if (!line || !*line) co_return;
    const auto event = docker::read_event(**line);
    if (!event) {
      log(LogLevel::warning, "an event of the Docker Engine cannot be read", {{"why", event.error().message}});
      co_return;
    }
    const auto container = containers_.find(event->id);
    if (container) container->saw(*event);
  }
}

// What bears this agent's label and is none of its containers was left by an earlier life.
asio::awaitable<void> DockerDriver::Core::remove_strays(Listed listed) {
  const auto self = shared_from_this();
  for (const docker::ListedContainer& each : listed) {
    if (closed_ || containers_.has(each.id) || !docker::is_container_id(each.id)) continue;
    const Deadline limit(now() + yard_->options.engine_limit);
    const auto removed = co_await yard_->engine->remove(each.engine_id, limit);
    if (!removed) {
      log(LogLevel::warning, "a container of an earlier life cannot be removed",
          {{"container", each.id}, {"why", removed.error().message}});
      continue;
    }
    log(LogLevel::info, "removed a container of an earlier life", {{"container", each.id}});
    static_cast<void>(docker::SlotGroups::left_by(each.id, docker::own_hierarchies()).remove());
  }
}

}  // namespace berth::drivers
