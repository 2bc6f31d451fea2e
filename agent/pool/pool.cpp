// SPDX-License-Identifier: Apache-2.0
#include "agent/pool/pool.hpp"

#include <algorithm>
#include <utility>

#include "agent/pool/core.hpp"

namespace berth::pool {

std::vector<Effect> Pool::Core::step(const Event& event, TimePoint now) {
  now_ = std::max(now_, now);
  while (auto target = timers_.pop(now_)) {
    std::visit([this](auto what) { due(what); }, *target);
  }
  settle_all();
  std::visit([this](const auto& what) { on(what); }, event);
  settle_all();
  return std::exchange(effects_, {});
}

Pool::Pool(Options options, Rules rules) : core_(std::make_unique<Core>(std::move(options), rules)) {}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;

std::vector<Effect> Pool::step(const Event& event, TimePoint now) {
  return core_->step(event, now);
}
TimePoint Pool::next_tick() const {
  return core_->next_tick();
}
const Lease* Pool::find_lease(std::string_view id) const {
  return core_->find_lease(id);
}
const Lease* Pool::find_lease(std::string_view job, std::string_view owner, std::string_view trajectory) const {
  return core_->find_lease(job, owner, trajectory);
}
const Lease* Pool::find_lease_of_slot(std::string_view container, unsigned slot) const {
  return core_->find_lease_of_slot(container, slot);
}
std::optional<EndReason> Pool::ended(std::string_view lease) const {
  return core_->ended(lease);
}
std::vector<JobView> Pool::jobs() const {
  return core_->jobs();
}
std::optional<JobView> Pool::job(std::string_view name) const {
  return core_->job(name);
}
std::vector<ContainerView> Pool::containers(std::string_view job) const {
  return core_->containers(job);
}
std::vector<SlotView> Pool::slots(std::string_view job) const {
  return core_->slots(job);
}
std::vector<Lease> Pool::leases(std::string_view job) const {
  return core_->leases(job);
}
std::size_t Pool::waiting() const {
  return core_->waiting();
}

}  // namespace berth::pool
