// SPDX-License-Identifier: Apache-2.0
// 10,000 slots in 1,000 containers that one process pretends to be, against 100 slots in 10.
#include <sys/resource.h>

#include "bench/agent_target.hpp"
#include "bench/fake_containers.hpp"
#include "bench/measure.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

static_assert(kFakeSlots == kSlots);
constexpr unsigned kMany = 1000;
constexpr unsigned kFew = 10;
constexpr int kHeldAtATime = 50;
constexpr int kCycles = 10;

// Each container takes an agent some descriptors, and its fake some here; children inherit the limit.
void allow_many_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

Expected<void> measure_memory(const Setup& setup, Row& row) {
  allow_many_descriptors();
  const auto fakes = FakeContainers::start(setup.container_binary);
  if (!fakes) return tl::unexpected(fakes.error());
  const Stopwatch watch;
  auto agent = AgentTarget::start(setup, (*fakes)->program(), kMany);
  if (!agent) return tl::unexpected(agent.error());
  const double took = watch.milliseconds() / 1000;
  const auto leases = agent->acquire(kHeldAtATime);
  if (!leases) return tl::unexpected(leases.error());
  const auto size = memory_of(agent->process.pid(), "VmRSS");
  const auto peak = memory_of(agent->process.pid(), "VmHWM");
  if (!size || !peak) return fail("proc", "the agent's memory cannot be read");
  row.values.push_back(*size * 1.048576);
  row.detail = "peak " + format_number(*peak * 1.048576) + " MB; all up after " + format_number(took) + " s";
  return {};
}

Expected<std::vector<double>> acquire_times(AgentTarget& agent, unsigned slots, int cycles) {
  std::vector<double> times;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    const auto leases = agent.acquire(kHeldAtATime, &times);
    if (!leases) return tl::unexpected(leases.error());
    if (auto freed = agent.release(*leases, slots); !freed) return tl::unexpected(freed.error());
  }
  return times;
}

Expected<void> measure_crowd_acquire(const Setup& setup, Row& row) {
  allow_many_descriptors();
  const auto fakes = FakeContainers::start(setup.container_binary);
  if (!fakes) return tl::unexpected(fakes.error());
  auto many = AgentTarget::start(setup, (*fakes)->program(), kMany);
  if (!many) return tl::unexpected(many.error());
  auto few = AgentTarget::start(setup, (*fakes)->program(), kFew);
  if (!few) return tl::unexpected(few.error());
  const int cycles = std::max(1, 2 * kCycles / setup.scale);
  std::vector<double> large;
  std::vector<double> small;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto a = acquire_times(*many, kMany * kSlots, cycles);
    if (!a) return tl::unexpected(a.error());
    const auto b = acquire_times(*few, kFew * kSlots, cycles);
    if (!b) return tl::unexpected(b.error());
    large.push_back(percentile(*a, 0.99));
    small.push_back(percentile(*b, 0.99));
    row.values.push_back(large.back() / small.back());
  }
  row.detail = pair_text(large, small, "ms");
  return {};
}

}  // namespace

std::vector<Measurement> crowd_measurements() {
  return {
      {{.name = "crowd-memory",
        .what = "agent: RSS with 10,000 slots in 1,000 containers",
        .unit = "MB",
        .budget = Budget{Bound::at_most, 100}},
       measure_memory},
      {{.name = "crowd-acquire",
        .what = "agent: acquire p99 with 10,000 slots / with 100",
        .unit = "x",
        .budget = Budget{Bound::at_most, 2}},
       measure_crowd_acquire},
  };
}

}  // namespace berth::bench
