// SPDX-License-Identifier: Apache-2.0
// Callers and leases: acquire, call, files, release, stop.
#include "agent/runtime/runtime.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <vector>

#include "agent/runtime/wanted.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

Duration to_duration(Seconds seconds) {
  return Deadline::after(TimePoint{}, seconds).at() - TimePoint{};
}

pool::JobApplied pool_view(const jobs::Job& job) {
  pool::JobApplied view;
  view.job = job.name;
  view.min = job.containers.min;
  view.max = job.containers.max;
  view.spare = job.containers.spare;
  view.slots = job.slots;
  if (job.lease.ttl) view.ttl = to_duration(*job.lease.ttl);
  view.idle = to_duration(job.lease.idle);
  view.version = version_of(job);
  return view;
}

}  // namespace

Runtime::Runtime(asio::io_context& context, drivers::Driver& driver, RuntimeOptions options)
    : context_(context),
      driver_(driver),
      options_(std::move(options)),
      pool_(options_.pool),
      tick_timer_(context),
      sweep_timer_(context) {}

Runtime::~Runtime() = default;

asio::awaitable<Expected<void>> Runtime::start() {
  const auto self = shared_from_this();
  driver_.watch([weak = weak_from_this()](const drivers::ContainerFacts& facts) {
    if (const auto alive = weak.lock()) alive->heard(facts);
  });
  const auto found = co_await driver_.adopt();
  if (!found) co_return tl::unexpected(found.error());
  for (const drivers::ContainerFacts& facts : *found) heard(facts);
  started_ = true;
  if (options_.inputs) arm_sweep();
  co_return Expected<void>{};
}

void Runtime::apply(const jobs::Job& job) {
  if (options_.job_observer) options_.job_observer(job.name, "applied");
  keep_inputs(job);
  jobs_.insert_or_assign(job.name, job);
  step(pool_view(job));
}

void Runtime::remove_job(const std::string& name, bool force) {
  if (options_.job_observer && jobs_.contains(name)) options_.job_observer(name, "removing");
  step(pool::JobRemoved{name, force});
}

void Runtime::on(const pool::JobGone& effect) {
  sweep_inputs();
  jobs_.erase(effect.job);
  start_errors_.erase(effect.job);
}

// The pool is told first: what is due then happens before the lease is looked at, so that none that has just ended is
// used; and while it is used it does not idle out, be it in the middle of a long transfer. CallEnded ends the use.
Expected<Runtime::Found> Runtime::begin_use(const std::string& lease) {
  step(pool::CallStarted{lease});
  auto found = find(lease);
  if (!found) step(pool::CallEnded{lease});
  return found;
}

asio::awaitable<Expected<Result>> Runtime::call(std::string lease, LeaseCall wanted, OutputSink sink,
                                                std::function<void()> on_start) {
  const auto self = shared_from_this();
  const auto found = begin_use(lease);
  if (!found) co_return tl::unexpected(found.error());
  Call call;
  call.execution_id = wanted.execution_id.empty() ? random_hex(16) : std::move(wanted.execution_id);
  call.slot = pool::slot_name(found->second.slot);
  call.generation = found->second.generation;
  call.tool = std::move(wanted.tool);
  call.args = std::move(wanted.args);
  call.timeout = wanted.timeout;
  call.env = std::move(wanted.env);
  // No variable can hold a NUL; a call that carried one would be refused.
  const std::string& trajectory = found->second.trajectory;
  if (trajectory.find('\0') == std::string::npos) call.env.insert_or_assign("BERTH_TRAJECTORY", trajectory);
  call.limits = wanted.limits;
  auto result = co_await found->first->call(std::move(call), std::move(sink), std::move(on_start));
  step(pool::CallEnded{lease});
  co_return result;
}

asio::awaitable<Expected<void>> Runtime::put_tar(std::string lease, std::string path, std::string tar,
                                                 Deadline deadline) {
  const auto self = shared_from_this();
  const auto found = begin_use(lease);
  if (!found) co_return tl::unexpected(found.error());
  const auto& [link, held] = *found;
  auto done =
      co_await link->put_tar(pool::slot_name(held.slot), held.generation, std::move(path), std::move(tar), deadline);
  step(pool::CallEnded{lease});
  co_return done;
}

asio::awaitable<Expected<void>> Runtime::get_file(std::string lease, std::string path, bool as_tar,
                                                  ContainerLink::BytesSink sink, Deadline deadline) {
  const auto self = shared_from_this();
  const auto found = begin_use(lease);
  if (!found) co_return tl::unexpected(found.error());
  const auto& [link, held] = *found;
  auto done = co_await link->get_file(pool::slot_name(held.slot), held.generation, std::move(path), as_tar,
                                      std::move(sink), deadline);
  step(pool::CallEnded{lease});
  co_return done;
}

asio::awaitable<Expected<void>> Runtime::stop(Deadline graceful_until) {
  const auto self = shared_from_this();
  std::vector<std::string> names;
  for (const auto& [name, job] : jobs_) names.push_back(name);
  for (const std::string& name : names) step(pool::JobRemoved{name, true});
  auto removed = co_await driver_.remove(graceful_until);
  tick_timer_.cancel();
  sweep_timer_.cancel();
  co_return removed;
}

// --- the pool's effects -------------------------------------------------------------------------------------------

// Effects may bring new events; those wait their turn, so that effects are carried out in the order the pool gave them.
void Runtime::step(pool::Event event) {
  events_.push_back(std::move(event));
  if (stepping_) return;
  stepping_ = true;
  while (!events_.empty()) {
    const pool::Event next = std::move(events_.front());
    events_.pop_front();
    for (const pool::Effect& effect : pool_.step(next, now())) {
      if (options_.observer) options_.observer(effect);
      std::visit([this](const auto& each) { on(each); }, effect);
    }
  }
  stepping_ = false;
  if (std::exchange(wanted_changed_, false)) converge();
  arm_timer();
}

void Runtime::arm_timer() {
  const TimePoint at = pool_.next_tick();
  if (at == TimePoint::max()) {
    tick_timer_.cancel();
    return;
  }
  tick_timer_.expires_at(at);
  tick_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error) self->step(pool::Tick{});
  });
}

void Runtime::on(const pool::Granted& effect) {
  auto node = waiting_.extract(effect.request);
  const bool fresh = !effect.existing;
  if (node.empty()) {
    // Nobody would ever put its inputs in.
    if (fresh && needs_inputs(effect.lease)) events_.emplace_back(pool::ReleaseRequested{effect.lease.id});
    return;
  }
  Waiter& waiter = node.mapped();
  if (fresh && !waiter.labels.empty()) labels_.insert_or_assign(effect.lease.id, std::move(waiter.labels));
  if (fresh && needs_inputs(effect.lease)) fillings_.try_emplace(effect.lease.id);
  const auto filling = fillings_.find(effect.lease.id);
  if (filling == fillings_.end()) return waiter.answer->set(LeaseGrant{effect.lease, effect.existing});
  filling->second.try_emplace(effect.request, waiter.answer, effect.existing);
  if (fresh) start_filling(effect.lease, waiter.ready_by);
}

void Runtime::on(const pool::Refused& effect) {
  const auto waiter = waiting_.extract(effect.request);
  if (!waiter.empty()) waiter.mapped().answer->set(tl::unexpected(LeaseRefusal{effect.error, effect.retry_after}));
}

void Runtime::on(const pool::LeaseEnded& effect) {
  labels_.erase(effect.lease.id);
  const auto container = containers_.find(effect.lease.container);
  if (container == containers_.end() || !container->second.link) return;
  const bool asked = effect.why == pool::EndReason::released;
  const bool gone = effect.why == pool::EndReason::container_lost;
  const Cause cause = asked ? Cause::cancelled : gone ? Cause::container_lost : Cause::slot_lost;
  std::string message = "the lease ended: " + std::string(pool::to_string(effect.why));
  if (!effect.message.empty()) message += " (" + effect.message + ")";
  container->second.link->end_slot(pool::slot_name(effect.lease.slot), effect.lease.generation, cause, message);
}

}  // namespace berth::agent
