// SPDX-License-Identifier: Apache-2.0
// A container on its way down.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cmath>

#include "base/http/await.hpp"
#include "drivers/docker/container.hpp"
#include "drivers/remove.hpp"

namespace berth::drivers::docker {
namespace {

// An engine that answers but cannot remove a container is not asked for ever.
constexpr std::chrono::seconds kRemoveLimit{60};
constexpr std::chrono::seconds kGroupsLimit{2};
constexpr std::chrono::milliseconds kGroupsPace{10};
constexpr std::chrono::milliseconds kRetryPace{100};

bool is_away(const Error& error) {
  return error.code == "engine_away" || error.code == "engine_timeout" || error.code == "engine_protocol";
}

unsigned whole_seconds(Duration time) {
  const auto seconds = std::chrono::duration<double>(std::min(time, Duration(std::chrono::minutes(10))));
  return static_cast<unsigned>(std::max(0.0, std::ceil(seconds.count())));
}

}  // namespace

void Container::stop(Deadline kill_at) {
  if (facts_.state == ContainerState::gone) return;
  stopping_ = true;
  facts_.state = ContainerState::stopping;
  kill_at_ = kill_at_.earlier(kill_at);
  if (image_) image_->set(fail("stopped", who() + " was stopped"));
  wake_.cancel();
  if (kill_at_.is_never()) return;
  // The first SIGTERM lets calls in flight end, the second does not; both leave nothing behind.
  hurry_timer_.expires_after(kill_at_.remaining(now()) / 4);
  hurry_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error) self->signal_soon("SIGTERM");
  });
  kill_timer_.expires_at(kill_at_.at());
  kill_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error) self->kill();
  });
}

void Container::kill() {
  kill_at_ = kill_at_.earlier(Deadline(now()));
  signal_soon("SIGKILL");
}

void Container::give_up_at(Deadline deadline) {
  give_up_ = give_up_.earlier(deadline);
  wake_.cancel();
}

void Container::abandon() {
  heard_ = nullptr;
  abandoned_ = true;
  stopping_ = true;
  if (image_) image_->set(fail("stopped", who() + " was abandoned"));
  hurry_timer_.cancel();
  kill_timer_.cancel();
  wake_.cancel();
}

void Container::signal_soon(std::string signal) {
  if (!launched_ || abandoned_ || facts_.state == ContainerState::gone) return;
  auto work = [self = shared_from_this(), signal = std::move(signal)] { return self->send_signal(signal); };
  asio::co_spawn(yard_->context, std::move(work), asio::detached);
}

// Only to hurry the end: the container is removed by force whatever comes of it.
asio::awaitable<void> Container::send_signal(std::string signal) {
  const auto self = shared_from_this();
  static_cast<void>(co_await yard_->engine->kill(engine_id_, signal, answer_by()));
}

asio::awaitable<void> Container::take_down(bool asked) {
  if (abandoned_) co_return;
  if (asked && launched_ && !death_ && !kill_at_.expired(now())) {
    const unsigned seconds = whole_seconds(kill_at_.is_never() ? Duration::zero() : kill_at_.remaining(now()));
    const Deadline ended(now() + std::chrono::seconds(seconds) + yard_->options.engine_limit);
    static_cast<void>(co_await yard_->engine->stop(engine_id_, seconds, ended.earlier(give_up_)));
  }
  hurry_timer_.cancel();
  kill_timer_.cancel();
  auto removed = co_await remove_from_engine();
  const TimePoint first = now();
  while (!removed && !abandoned_ && !give_up_.expired(now())) {
    const bool away = is_away(removed.error());
    if (!away && now() - first > kRemoveLimit) break;
    co_await pause(away ? Duration(yard_->options.retry_pause) : Duration(kRetryPace));
    removed = co_await remove_from_engine();
  }
  if (!removed)
    leftover_ = Error{"leftover", "removing " + container_name(wanted_.spec.id) + ": " + removed.error().message,
                      "docker rm -fv " + container_name(wanted_.spec.id)};
  co_await remove_traces();
}

asio::awaitable<Expected<void>> Container::remove_from_engine() {
  if (engine_id_.empty() && !create_asked_) co_return Expected<void>();
  if (engine_id_.empty()) {
    // The engine may have made it although its answer never came.
    auto own = co_await find_own();
    if (!own) co_return tl::unexpected(own.error());
    engine_id_ = std::move(*own);
  }
  if (!engine_id_.empty()) {
    auto removed = co_await yard_->engine->remove(engine_id_, answer_by().earlier(give_up_));
    if (!removed) co_return removed;
  }
  // Where somebody else had removed it, or the engine refused to make it after all, its volume may be left.
  const std::string& agent = yard_->options.agent_id;
  co_return co_await yard_->engine->remove_volumes(agent, wanted_.spec.id, answer_by().earlier(give_up_));
}

// The engine's id of the container that bears this one's labels; empty: there is none.
asio::awaitable<Expected<std::string>> Container::find_own() {
  const auto listed = co_await yard_->engine->list(yard_->options.agent_id, answer_by().earlier(give_up_));
  if (!listed) co_return tl::unexpected(listed.error());
  for (const ListedContainer& each : *listed)
    if (each.id == wanted_.spec.id) co_return each.engine_id;
  co_return std::string();
}

asio::awaitable<void> Container::remove_traces() {
  const Deadline until(now() + kGroupsLimit);
  bool gone = !groups_ || groups_->remove();
  while (!gone && !until.expired(now())) {
    co_await pause(kGroupsPace);
    gone = groups_->remove();
  }
  if (!gone && !leftover_)
    leftover_ = Error{"leftover", "the control groups " + groups_->parent() + " cannot be removed",
                      "rmdir them below /sys/fs/cgroup when nothing runs in them"};
  const std::error_code error = remove_container_tree(paths_.root);
  if (error && !leftover_)
    leftover_ = Error{"leftover", "removing " + paths_.root + ": " + error.message(), "remove it by hand"};
}

}  // namespace berth::drivers::docker
