// SPDX-License-Identifier: Apache-2.0
// Containers: what the pool wants of the driver, and what the driver and the containers say.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/runtime/runtime.hpp"
#include "agent/runtime/wanted.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kFirstHealthLimit{10};
constexpr std::chrono::milliseconds kFirstHealthPause{50};

std::string text_of(const std::optional<Error>& error) {
  return error ? error->message : "it ended";
}

}  // namespace

void Runtime::on(const pool::StartContainer& effect) {
  const auto job = jobs_.find(effect.job);
  if (job == jobs_.end()) return;
  Container container;
  container.job = effect.job;
  container.wanted = wanted_of(job->second, effect.container);
  containers_.insert_or_assign(effect.container, std::move(container));
  wanted_changed_ = true;
}

void Runtime::on(const pool::StopContainer& effect) {
  const auto found = containers_.find(effect.container);
  if (found == containers_.end()) {
    events_.emplace_back(pool::ContainerStopped{effect.container});
    return;
  }
  found->second.wanted.reset();
  wanted_changed_ = true;
}

void Runtime::on(const pool::ResetSlot& effect) {
  const auto found = containers_.find(effect.container);
  if (found == containers_.end() || !found->second.link) return;
  auto work = [self = shared_from_this(), link = found->second.link, effect] { return self->reset(link, effect); };
  asio::co_spawn(context_, std::move(work), asio::detached);
}

asio::awaitable<void> Runtime::reset(std::shared_ptr<ContainerLink> link, pool::ResetSlot effect) {
  const auto self = shared_from_this();
  const Deadline deadline(now() + options_.pool.reset_timeout);
  const auto done = co_await link->reset(pool::slot_name(effect.slot), effect.generation, deadline);
  step(pool::SlotReset{effect.container, effect.slot, effect.generation, done.has_value(),
                       done ? "" : done.error().message});
}

void Runtime::converge() {
  std::vector<drivers::Wanted> wanted;
  for (const auto& [id, container] : containers_)
    if (container.wanted) wanted.push_back(*container.wanted);
  driver_.converge(std::move(wanted));
}

void Runtime::heard(const drivers::ContainerFacts& facts) {
  if (facts.state == drivers::ContainerState::gone) heard_gone(facts);
  if (facts.state != drivers::ContainerState::running) return;
  asio::co_spawn(
      context_, [self = shared_from_this(), facts] { return self->welcome(facts); }, asio::detached);
}

void Runtime::heard_gone(const drivers::ContainerFacts& facts) {
  const auto node = containers_.extract(facts.id);
  if (node.empty()) return;
  const Container& container = node.mapped();
  health_.erase(facts.id);
  if (container.pause) container.pause->cancel();
  if (container.link) container.link->close(text_of(facts.error));
  const auto error = container.refused ? container.refused : facts.error;
  wanted_changed_ = true;
  if (container.link && container.wanted) return step(pool::ContainerLost{facts.id, text_of(error)});
  if (!container.wanted && !container.refused) return step(pool::ContainerStopped{facts.id});
  if (error) start_errors_.insert_or_assign(container.job, *error);
  step(pool::ContainerFailed{facts.id, text_of(error)});
}

// A container counts only once it has answered as the server that the driver started.
asio::awaitable<void> Runtime::welcome(drivers::ContainerFacts facts) {
  const auto self = shared_from_this();
  LinkOptions options;
  const auto address = http::parse_address(facts.address);
  if (!address) co_return refuse(facts.id, address.error());
  options.address = *address;
  options.boot_id = facts.boot_id;
  options.slots = facts.slots;
  options.limits = options_.link;
  options.counts = link_counts_;
  const auto known = containers_.find(facts.id);
  const auto job = known == containers_.end() ? jobs_.end() : jobs_.find(known->second.job);
  if (job != jobs_.end()) {
    const auto idle = std::chrono::duration_cast<std::chrono::seconds>(job->second.lease.idle);
    options.detach = std::max(idle, std::chrono::seconds(3));
  }
  const auto link = std::make_shared<ContainerLink>(context_, std::move(options));
  const auto health = co_await first_health(*link, facts);
  const auto found = containers_.find(facts.id);
  if (found == containers_.end() || !found->second.wanted) co_return link->close("it was stopped");
  if (!health) co_return refuse(facts.id, health.error());
  found->second.link = link;
  found->second.pause = std::make_shared<asio::steady_timer>(context_);
  health_.insert_or_assign(facts.id, *health);
  step(pool::ContainerStarted{facts.id, facts.slots, facts.boot_id, health->floors});
  co_await watch_health(facts.id, link);
}

asio::awaitable<Expected<HealthFacts>> Runtime::first_health(ContainerLink& link,
                                                             const drivers::ContainerFacts& facts) {
  const TimePoint give_up = now() + kFirstHealthLimit;
  asio::steady_timer pause(context_);
  auto health = co_await link.health();
  while (!health && now() < give_up && containers_.contains(facts.id)) {
    pause.expires_after(kFirstHealthPause);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    health = co_await link.health();
  }
  if (!health) co_return tl::unexpected(health.error().within("asking " + facts.id + " for its health"));
  if (health->status != "ok") co_return fail("unhealthy", facts.id + " reports status " + health->status);
  if (health->boot_id != facts.boot_id) co_return fail("wrong_boot", facts.id + " is not the server that was started");
  if (health->slots != facts.slots)
    co_return fail("protocol", facts.id + " has " + std::to_string(health->slots) + " slots instead of " +
                                   std::to_string(facts.slots));
  co_return health;
}

void Runtime::refuse(const std::string& container, Error why) {
  const auto found = containers_.find(container);
  if (found == containers_.end()) return;
  found->second.refused = std::move(why);
  found->second.wanted.reset();
  converge();
}

asio::awaitable<void> Runtime::watch_health(std::string container, std::shared_ptr<ContainerLink> link) {
  while (true) {
    const auto found = containers_.find(container);
    if (found == containers_.end() || found->second.link != link) co_return;
    const auto pause = found->second.pause;
    pause->expires_after(options_.health_interval);
    const auto [error] = co_await pause->async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    const auto health = co_await link->health();
    if (health) step(pool::ContainerHealthy{container, health->boot_id});
    if (!health) step(pool::ContainerSuspect{container, health.error().message});
  }
}

boost::asio::awaitable<Expected<drivers::Usage>> Runtime::container_usage(std::string container, Deadline deadline) {
  return driver_.usage(std::move(container), deadline);
}

boost::asio::awaitable<Expected<drivers::LogPart>> Runtime::container_log(std::string container, std::string after,
                                                                          Deadline deadline) {
  return driver_.read_log(std::move(container), std::move(after), deadline);
}

}  // namespace berth::agent
