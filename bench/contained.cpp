// SPDX-License-Identifier: Apache-2.0
#include "bench/contained.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "bench/agent_target.hpp"

namespace berth::bench {
namespace {

std::string job_with_limits(const Setup& setup) {
  return "job: bench\ndriver: docker\nisolation: strict\nimage: " + setup.image + "\nslots: " + std::to_string(kSlots) +
         "\ncontainers: {min: 1, max: 1}\nslot: {memory: 256MiB, pids: 128, cpu: 2, disk: 64MiB}\n";
}

// The number that this machine knows the server of a unix socket by.
Expected<int> pid_behind(const Caller& caller) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(caller.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return fail_errno("SO_PEERCRED", errno);
  return static_cast<int>(peer.pid);
}

}  // namespace

Expected<SlotdProcess> start_contained(const Setup& setup) {
  auto agent = AgentProcess::start(setup.berth_binary, setup.slotd_binary);
  if (!agent) return tl::unexpected(agent.error());
  if (auto applied = agent->apply("bench", job_with_limits(setup)); !applied) return tl::unexpected(applied.error());
  auto caller = Caller::connect(agent->port());
  if (!caller) return tl::unexpected(caller.error());
  // All slots are leased, so that the agent leaves them to who calls their server past it.
  AgentTarget target{std::move(*agent), std::move(*caller)};
  const auto leases = target.acquire(kSlots);
  if (!leases) return tl::unexpected(leases.error());
  Endpoint where(target.process.socket_of(leases->front().container));
  const auto straight = Caller::connect(where);
  if (!straight) return tl::unexpected(straight.error());
  const auto pid = pid_behind(*straight);
  if (!pid) return tl::unexpected(pid.error());
  return SlotdProcess(std::move(target.process), *pid, std::move(where));
}

std::vector<Measurement> contained_measurements() {
  std::vector<Measurement> all;
  for (auto group : {latency_measurements, load_measurements, size_measurements, life_measurements}) {
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
