// SPDX-License-Identifier: Apache-2.0
// What effects do to the world, and how it answers.
#include <algorithm>

#include "tests/model/world.hpp"

namespace berth::pool::model {
namespace {

constexpr std::size_t kHandles = 12;

}  // namespace

void World::carry_out(const Effect& effect) {
  if (const auto* change = std::get_if<Persist>(&effect)) return store_.apply(*change);
  if (const auto* gone = std::get_if<JobGone>(&effect)) jobs_.erase(gone->job);
  if (const auto* reset = std::get_if<ResetSlot>(&effect)) orders_.push_back({*reset, boots_[reset->container]});
  if (const auto* start = std::get_if<StartContainer>(&effect)) {
    Server server;
    server.job = start->job;
    server.slots.resize(jobs_[start->job].slots);
    servers_.emplace(start->container, server);
  }
  if (const auto* stop = std::get_if<StopContainer>(&effect)) {
    const auto found = servers_.find(stop->container);
    if (found != servers_.end()) {
      found->second.stopping = true;
    } else {
      mail_.push_back(ContainerStopped{stop->container});
    }
  }
  const auto* granted = std::get_if<Granted>(&effect);
  if (granted == nullptr || granted->existing) return;
  const Lease& lease = granted->lease;
  handles_.push_back({lease, boots_[lease.container]});
  if (handles_.size() > kHandles) handles_.pop_front();
  const auto server = servers_.find(lease.container);
  if (server == servers_.end() || lease.slot >= server->second.slots.size()) return;
  if (!server->second.slots[lease.slot].user.empty()) fail(2, "a slot was leased with the last owner's traces in it");
}

std::optional<Event> World::answer(const Operation& operation) {
  const unsigned a = operation.a, b = operation.b;
  if (operation.what == What::reset_done) return reset_done(a, b);
  if (operation.what == What::start_done) return start_done(a, b);
  if (operation.what == What::reset_dropped) {
    if (!orders_.empty()) orders_.erase(orders_.begin() + a % orders_.size());
    return std::nullopt;
  }
  auto at = pick(a, true, true);
  if (at == servers_.end()) at = pick(a, false, true);
  if (at == servers_.end()) return std::nullopt;
  const std::string id = at->first;
  servers_.erase(at);
  if (b % 8 != 0) return ContainerStopped{id};
  mail_.push_back(ContainerStopped{id});
  return std::nullopt;
}

std::optional<Event> World::reset_done(unsigned a, unsigned b) {
  if (orders_.empty()) return std::nullopt;
  const auto at = orders_.begin() + a % orders_.size();
  const unsigned luck = b % 16;
  const bool works = luck < 13;
  const SlotReset answer = execute(*at, works);
  const bool twice = luck == 12;
  if (!twice) orders_.erase(at);
  if (luck != 10 && luck != 11 && luck != 15) return answer;
  mail_.push_back(answer);
  return std::nullopt;
}

SlotReset World::execute(const Order& order, bool works) {
  SlotReset answer{order.reset.container, order.reset.slot, order.reset.generation, false, "no such container"};
  const auto server = servers_.find(order.reset.container);
  if (server == servers_.end() || !server->second.running || server->second.boot() != order.boot) return answer;
  if (order.reset.slot >= server->second.slots.size()) return answer;
  Slot& slot = server->second.slots[order.reset.slot];
  answer.why = "a process would not die";
  if (!works || order.reset.generation < slot.floor) return answer;
  answer.ok = true;
  if (order.reset.generation == slot.floor) return answer;  // done before: repeating is harmless
  slot.floor = order.reset.generation;
  slot.user.clear();
  return answer;
}

std::optional<Event> World::start_done(unsigned a, unsigned b) {
  auto at = pick(a, false, false);
  if (at == servers_.end()) at = pick(a, false, true);
  if (at == servers_.end()) return std::nullopt;
  const std::string id = at->first;
  Server& server = at->second;
  switch (b % 16) {
    case 0:
    case 1: servers_.erase(at); return ContainerFailed{id, "no such image"};
    case 2: servers_.erase(at); return ContainerLost{id, "killed while starting"};
    case 3: server.running = true; return ContainerStarted{id, 0, server.boot(), {}};
    case 4: return std::nullopt;
    case 5: server.slots.resize(1 + (b >> 4) % 3); break;
    case 6: server.slots[0].floor = 3; break;
    case 7: return DrainRequested{id};
    default: break;
  }
  server.running = true;
  return started(id, server);
}

void Store::apply(const Persist& effect) {
  if (const auto* saved = std::get_if<LeaseSaved>(&effect.change)) leases[saved->lease.id] = saved->lease;
  if (const auto* dropped = std::get_if<LeaseDropped>(&effect.change)) leases.erase(dropped->lease);
  if (const auto* saved = std::get_if<SlotSaved>(&effect.change)) {
    generations[{saved->container, saved->slot}] = saved->generation;
  }
  if (const auto* saved = std::get_if<ContainerSaved>(&effect.change)) containers[saved->container] = *saved;
  if (const auto* dropped = std::get_if<ContainerDropped>(&effect.change)) {
    containers.erase(dropped->container);
    std::erase_if(generations, [&](const auto& entry) { return entry.first.first == dropped->container; });
  }
}

Restored Store::restored(const std::map<std::string, JobApplied>& jobs) const {
  Restored all;
  for (const auto& [name, policy] : jobs) all.jobs.push_back(policy);
  for (const auto& [id, saved] : containers) {
    RestoredContainer container{id, saved.job, saved.boot, saved.version, std::vector<Generation>(saved.slots, 0)};
    for (unsigned i = 0; i < saved.slots; ++i) {
      if (const auto known = generations.find({id, i}); known != generations.end())
        container.generations[i] = known->second;
    }
    all.containers.push_back(container);
  }
  for (const auto& [id, lease] : leases) all.leases.push_back(lease);
  return all;
}

Restored World::crash() {
  now_ += std::chrono::seconds(1);
  std::erase_if(servers_, [](const auto& entry) { return entry.second.stopping; });
  std::erase_if(jobs_, [this](const auto& entry) { return removed_.contains(entry.first); });
  return store_.restored(jobs_);
}

std::vector<Event> World::adoption() {
  std::vector<Event> events;
  for (const auto& [id, server] : servers_) {
    if (server.running) events.push_back(started(id, server));
  }
  for (const auto& [id, saved] : store_.containers) {
    if (!servers_.contains(id)) events.push_back(ContainerLost{id, "not there any more"});
  }
  // Some of it is learned late.
  if (events.size() > 1) mail_.push_back(events.back()), events.pop_back();
  return events;
}

std::vector<Event> World::end_jobs() const {
  std::vector<Event> events;
  for (const char* name : {"a", "b"}) events.push_back(JobRemoved{name, true});
  return events;
}

std::vector<Event> World::settle() {
  std::vector<Event> events;
  events.swap(mail_);
  for (const auto& [id, server] : servers_) {
    if (server.stopping) events.push_back(ContainerStopped{id});
  }
  std::erase_if(servers_, [](const auto& entry) { return entry.second.stopping; });
  now_ += std::chrono::seconds(70);
  return events;
}

}  // namespace berth::pool::model
