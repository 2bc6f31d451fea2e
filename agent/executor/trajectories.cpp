// SPDX-License-Identifier: Apache-2.0
#include "agent/executor/trajectories.hpp"

#include <algorithm>

namespace berth::agent {

bool Trajectory::is_wanted(const std::string& execution_id) const {
  return std::any_of(tickets.begin(), tickets.end(),
                     [&](const auto& each) { return !each->vanished && each->execution_id == execution_id; });
}

std::shared_ptr<Trajectory> Trajectories::get(const Key& key) {
  if (auto found = find(key)) return found;
  if (all_.size() >= kMost) make_room();
  return all_.emplace(key, std::make_shared<Trajectory>(context_)).first->second;
}

std::shared_ptr<Trajectory> Trajectories::find(const Key& key) const {
  const auto found = all_.find(key);
  return found == all_.end() ? nullptr : found->second;
}

std::shared_ptr<Trajectory> Trajectories::take(const Key& key) {
  const auto taken = all_.extract(key);
  return taken.empty() ? nullptr : taken.mapped();
}

void Trajectories::tidy(const Key& key, const std::shared_ptr<Trajectory>& trajectory) {
  if (trajectory->lease.empty() && trajectory->tickets.empty() && find(key) == trajectory) all_.erase(key);
}

std::vector<std::shared_ptr<Ticket>> Trajectories::tickets() const {
  std::vector<std::shared_ptr<Ticket>> found;
  for (const auto& [key, each] : all_) found.insert(found.end(), each->tickets.begin(), each->tickets.end());
  return found;
}

void Trajectories::make_room() {
  std::erase_if(all_, [&](const auto& each) { return each.second->tickets.empty() && !is_live_(each.second->lease); });
}

}  // namespace berth::agent
