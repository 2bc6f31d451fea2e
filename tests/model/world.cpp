// SPDX-License-Identifier: Apache-2.0
// Operations as events: clients, operators, containers.
#include "tests/model/world.hpp"

#include <algorithm>
#include <array>

namespace berth::pool::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kRemembered = 16;

template <typename Items>
auto& nth(Items& items, unsigned a) {
  return items[a % items.size()];
}

}  // namespace

std::optional<Event> World::play(const Operation& operation, const Pool& pool) {
  now_ += milliseconds(1);
  const unsigned a = operation.a, b = operation.b;
  switch (operation.what) {
    case What::acquire: return acquire(a, b);
    case What::apply: return apply(a, b);
    case What::remove: return JobRemoved{a % 2 == 0 ? "a" : "b", b % 2 == 0};
    case What::close: return b % 4 == 0 ? std::optional<Event>(Closing{}) : std::nullopt;
    case What::sleep:
    case What::tick: sleep(operation, pool); return Tick{};
    case What::mail: {
      if (mail_.empty()) return std::nullopt;
      const auto place = mail_.begin() + a % mail_.size();
      Event event = *place;
      if (b % 4 != 0) mail_.erase(place);  // else it will come again
      return event;
    }
    case What::repeat: return history_.empty() ? std::nullopt : std::optional(nth(history_, a));
    case What::reset_done:
    case What::reset_dropped:
    case What::start_done:
    case What::stop_done: return answer(operation);
    case What::die:
    case What::suspect:
    case What::healthy:
    case What::reboot:
    case What::foreign_reset:
    case What::drain: return container(operation);
    default: return client(operation, pool);
  }
}

void World::sleep(const Operation& operation, const Pool& pool) {
  constexpr std::array<milliseconds, 8> kPauses{milliseconds(10), seconds(1),  seconds(3),   seconds(10),
                                                seconds(31),      seconds(61), seconds(300), seconds(1300)};
  const TimePoint next = pool.next_tick();
  if (operation.what == What::sleep) {
    now_ += kPauses[operation.a % kPauses.size()];
  } else if (next != TimePoint::max()) {
    now_ = std::max(now_, next);
  }
}

Event World::acquire(unsigned a, unsigned b) {
  constexpr std::array<int, 4> kWaits{0, 1, 10, 60};
  AcquireRequested wish;
  wish.request = ++requests_;
  wish.lease = "L" + std::to_string(++leases_);
  wish.job = a % 16 == 15 ? "nowhere" : a % 2 == 0 ? "a" : "b";
  const unsigned trajectory = (a >> 4) % 6;
  if (trajectory > 0) wish.trajectory = "t" + std::to_string(trajectory);
  wish.owner = (a >> 8) % 2 == 0 ? "free" : "bound";
  if (wish.owner == "bound") wish.max_slots = 2;
  wish.deadline = now_ + seconds(kWaits[b % 4]);
  if ((b >> 2) % 4 == 0) wish.ttl = seconds(20);
  if ((b >> 4) % 2 == 0) wish.idle = seconds(8);
  return wish;
}

Event World::apply(unsigned a, unsigned b) {
  JobApplied policy;
  policy.job = a % 2 == 0 ? "a" : "b";
  policy.min = b % 3;
  policy.max = policy.min + (b >> 2) % 3;
  policy.spare = (b >> 4) % 4 == 0 ? 1 : 0;
  policy.slots = (b >> 6) % 8 == 0 ? 1 : 2 + a % 2;
  if ((b >> 8) % 4 == 0) policy.ttl = seconds(60);
  policy.idle = (b >> 10) % 2 == 0 ? seconds(30) : seconds(300);
  policy.shrink_after = (b >> 11) % 2 == 0 ? seconds(5) : seconds(60);
  policy.version = (b >> 12) % 8 == 0 ? 2 : 1;
  return policy;
}

std::optional<Event> World::client(const Operation& operation, const Pool& pool) {
  if (operation.what == What::cancel) {
    if (requests_ == 0) return std::nullopt;
    return AcquireCancelled{requests_ - operation.a % std::min<RequestId>(requests_, 6)};
  }
  if (handles_.empty()) return std::nullopt;
  const Handle& handle = nth(handles_, operation.a);
  const std::string& lease = handle.lease.id;
  switch (operation.what) {
    case What::release: return ReleaseRequested{lease};
    case What::use: return LeaseUsed{lease};
    case What::renew:
      return RenewRequested{lease, operation.b % 2 == 0 ? std::optional<Duration>(seconds(40)) : std::nullopt,
                            operation.b % 3 == 0 ? std::optional<Duration>(seconds(15)) : std::nullopt};
    case What::call_start: return CallStarted{lease};
    case What::call_end: return CallEnded{lease};
    case What::run_call:  // the relay asks the pool first
      if (pool.find_lease(lease) != nullptr) run_call(handle, pool);
      return std::nullopt;
    case What::late_call: run_call(handle, pool); return std::nullopt;  // it was on its way when the lease ended
    default: return std::nullopt;
  }
}

void World::run_call(const Handle& handle, const Pool& pool) {
  const auto server = servers_.find(handle.lease.container);
  if (server == servers_.end() || !server->second.running || server->second.boot() != handle.boot) return;
  if (handle.lease.slot >= server->second.slots.size()) return;
  Slot& slot = server->second.slots[handle.lease.slot];
  if (handle.lease.generation < slot.floor) return;  // slotd: stale_generation
  const Lease* holder = pool.find_lease_of_slot(handle.lease.container, handle.lease.slot);
  if (holder != nullptr && holder->id != handle.lease.id)
    fail(3, "a call with an old generation ran in another's slot");
  slot.user = handle.lease.id;
}

World::Servers::iterator World::pick(unsigned a, bool running, bool stopping) {
  std::vector<Servers::iterator> fitting;
  for (auto at = servers_.begin(); at != servers_.end(); ++at) {
    if (at->second.running == running && at->second.stopping == stopping) fitting.push_back(at);
  }
  return fitting.empty() ? servers_.end() : nth(fitting, a);
}

std::optional<Event> World::container(const Operation& operation) {
  const auto at = pick(operation.a, true, false);
  if (at == servers_.end()) return std::nullopt;
  const std::string id = at->first;
  Server& server = at->second;
  const unsigned b = operation.b;
  switch (operation.what) {
    case What::die:
      servers_.erase(at);
      if (b % 2 == 0) return ContainerLost{id, "killed"};
      mail_.push_back(ContainerLost{id, "killed, noticed late"});
      return std::nullopt;
    case What::suspect: return ContainerSuspect{id, "no answer"};
    case What::healthy: return ContainerHealthy{id, b % 4 == 0 ? "" : server.boot()};
    case What::drain: return DrainRequested{id};
    case What::reboot: return reboot(id, server, b);
    case What::foreign_reset: {
      Slot& slot = nth(server.slots, b);
      ++slot.floor;
      slot.user.clear();
      return started(id, server);
    }
    default: return std::nullopt;
  }
}

std::optional<Event> World::reboot(const std::string& id, Server& server, unsigned b) {
  ++server.boots;
  for (Slot& slot : server.slots) slot = Slot{};
  switch (b % 4) {
    case 0: return ContainerRebooted{id, server.boot()};
    case 1: return ContainerHealthy{id, server.boot()};
    case 2: server.slots.resize(1 + (b >> 2) % 3); return started(id, server);
    default: mail_.push_back(ContainerRebooted{id, server.boot()}); return std::nullopt;
  }
}

ContainerStarted World::started(const std::string& id, const Server& server) const {
  ContainerStarted event{id, static_cast<unsigned>(server.slots.size()), server.boot(), {}};
  for (const Slot& slot : server.slots) event.floors.push_back(slot.floor);
  return event;
}

void World::told(const Event& event) {
  if (const auto* started = std::get_if<ContainerStarted>(&event)) boots_[started->container] = started->boot;
  if (const auto* again = std::get_if<ContainerRebooted>(&event)) boots_[again->container] = again->boot;
  const auto* healthy = std::get_if<ContainerHealthy>(&event);
  if (healthy != nullptr && !healthy->boot.empty()) boots_[healthy->container] = healthy->boot;
  if (const auto* applied = std::get_if<JobApplied>(&event))
    jobs_[applied->job] = *applied, removed_.erase(applied->job);
  if (const auto* removed = std::get_if<JobRemoved>(&event)) removed_.insert(removed->job);
  if (std::holds_alternative<AcquireRequested>(event) || std::holds_alternative<Restored>(event)) return;
  history_.push_back(event);
  if (history_.size() > kRemembered) history_.pop_front();
}

void World::fail(int invariant, const std::string& what) {
  if (!violation_) violation_ = Violation{invariant, what};
}

}  // namespace berth::pool::model
