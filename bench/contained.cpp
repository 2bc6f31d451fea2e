// SPDX-License-Identifier: Apache-2.0
#include "bench/contained.hpp"

#include "bench/agent_target.hpp"

namespace berth::bench {

Expected<SlotdProcess> start_contained(const Setup& setup) {
  auto target = AgentTarget::start(setup, setup.slotd_binary, 1);
  if (!target) return tl::unexpected(target.error());
  // All slots are leased, so that the agent leaves them to who calls their server past it.
  const auto leases = target->acquire(kSlots);
  if (!leases) return tl::unexpected(leases.error());
  Endpoint where(target->process.socket_of(leases->front().container));
  const auto pid = server_behind(where);
  if (!pid) return tl::unexpected(pid.error());
  return SlotdProcess(std::move(target->process), *pid, std::move(where));
}

std::vector<Measurement> contained_measurements() {
  std::vector<Measurement> all;
  for (auto group :
       {latency_measurements, load_measurements, size_measurements, life_measurements, agent_measurements}) {
    for (Measurement& one : group()) {
      if (one.row.name == "slotd-size") continue;  // the same file
      one.row.name.insert(0, "docker-");
      one.row.what.insert(0, "in Docker: ");
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace berth::bench
