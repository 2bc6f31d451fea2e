// SPDX-License-Identifier: Apache-2.0
// Calls and leases through the agent.
#include <thread>

#include "bench/agent_target.hpp"
#include "bench/measure.hpp"
#include "bench/pass_through.hpp"
#include "bench/spawn.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

constexpr int kTurn = 20;  // calls of one way before the next way has its turn
constexpr int kAcquireCycles = 50;

// The same call in the same slot three ways, in turns, so that what else the machine does weighs on each.
struct ThreeWays {
  AgentTarget agent;
  HeldLease lease;
  Caller straight;
  std::unique_ptr<PassThrough> relay;
  Caller relayed;
};

Expected<ThreeWays> three_ways(const Setup& setup) {
  auto agent = AgentTarget::start(setup, setup.slotd_binary, 1);
  if (!agent) return tl::unexpected(agent.error());
  const auto leases = agent->acquire(1);
  if (!leases) return tl::unexpected(leases.error());
  const Endpoint slotd(agent->process.socket_of(leases->front().container));
  auto straight = Caller::connect(slotd);
  if (!straight) return tl::unexpected(straight.error());
  auto relay = std::make_unique<PassThrough>(slotd);
  auto relayed = Caller::connect(relay->port());
  if (!relayed) return tl::unexpected(relayed.error());
  return ThreeWays{std::move(*agent), leases->front(), std::move(*straight), std::move(relay), std::move(*relayed)};
}

struct ThreeSamples {
  std::vector<double> straight, relayed, agent;
};

Expected<void> append(std::vector<double>& to, Caller& caller, const std::string& request) {
  const auto samples = call_serially(caller, request, kTurn, is_success);
  if (!samples) return tl::unexpected(samples.error());
  to.insert(to.end(), samples->begin(), samples->end());
  return {};
}

Expected<ThreeSamples> sample(ThreeWays& ways, int count) {
  const std::string through = ways.lease.bash("true");
  const std::string straight = ways.lease.bash_straight("true");
  ThreeSamples samples;
  for (int done = 0; done < count; done += kTurn) {
    if (auto a = append(samples.agent, ways.agent.caller, through); !a) return tl::unexpected(a.error());
    if (auto b = append(samples.relayed, ways.relayed, straight); !b) return tl::unexpected(b.error());
    if (auto c = append(samples.straight, ways.straight, straight); !c) return tl::unexpected(c.error());
  }
  return samples;
}

Expected<void> measure_added(const Setup& setup, Row& row) {
  auto ways = three_ways(setup);
  if (!ways) return tl::unexpected(ways.error());
  if (auto warm = sample(*ways, kTurn); !warm) return tl::unexpected(warm.error());
  std::vector<double> by_agent;
  std::vector<double> by_relay;
  std::vector<double> bare;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto samples = sample(*ways, 600 / setup.scale);
    if (!samples) return tl::unexpected(samples.error());
    bare.push_back(median(samples->straight));
    by_agent.push_back(median(samples->agent) - bare.back());
    by_relay.push_back(median(samples->relayed) - bare.back());
    row.values.push_back(by_agent.back() / by_relay.back());
  }
  row.detail = "+ " + pair_text(by_agent, by_relay, "ms") + " on " + format_number(median(bare)) + " ms";
  return {};
}

Expected<void> measure_added_p99(const Setup& setup, Row& row) {
  auto ways = three_ways(setup);
  if (!ways) return tl::unexpected(ways.error());
  if (auto warm = sample(*ways, kTurn); !warm) return tl::unexpected(warm.error());
  std::vector<double> through;
  std::vector<double> straight;
  std::vector<double> relayed;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto samples = sample(*ways, 1000 / setup.scale);
    if (!samples) return tl::unexpected(samples.error());
    through.push_back(percentile(samples->agent, 0.99));
    straight.push_back(percentile(samples->straight, 0.99));
    relayed.push_back(percentile(samples->relayed, 0.99));
    row.values.push_back(through.back() - straight.back());
  }
  row.detail = pair_text(through, straight, "ms") + "; pass-through " + format_number(median(relayed)) + " ms";
  return {};
}

std::vector<std::string> true_in(const std::vector<HeldLease>& leases) {
  std::vector<std::string> requests;
  for (const HeldLease& lease : leases) requests.push_back(lease.bash("true"));
  return requests;
}

// What the slot server finds at "/".
Expected<std::string> system_behind(const Setup& setup, const Endpoint& slotd) {
  if (setup.engine.empty()) return "/";
  return server_behind(slotd).map(system_of);
}

Expected<void> measure_ten(const Setup& setup, Row& row) {
  auto agent = AgentTarget::start(setup, setup.slotd_binary, 1);
  if (!agent) return tl::unexpected(agent.error());
  const auto leases = agent->acquire(kSlots);
  if (!leases) return tl::unexpected(leases.error());
  std::vector<std::string> straight_requests;
  for (const HeldLease& lease : *leases) straight_requests.push_back(lease.bash_straight("true"));
  const Endpoint slotd(agent->process.socket_of(leases->front().container));
  const auto system = system_behind(setup, slotd);
  if (!system) return tl::unexpected(system.error());
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const int count = 3000 / setup.scale;
  std::vector<double> through;
  std::vector<double> bare;
  std::vector<double> straight;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto a = call_rate(agent->process.port(), true_in(*leases), count, is_success);
    const auto b = spawn_rate(count, cores, *system);
    const auto c = call_rate(slotd, straight_requests, count, is_success);
    if (!a || !b || !c) return tl::unexpected(!a ? a.error() : !b ? b.error() : c.error());
    through.push_back(*a);
    bare.push_back(*b);
    straight.push_back(*c);
    row.values.push_back(*a / *b);
  }
  row.detail = pair_text(through, bare, "/s") + "; straight to slotd " + format_number(median(straight)) + " /s";
  return {};
}

Expected<void> end_slow(AgentTarget& agent, const HeldLease& slot, const std::string& id, Caller& slow) {
  const auto ended = agent.caller.call(prepare("DELETE", slot.path() + "/executions/" + id));
  if (!ended) return tl::unexpected(ended.error());
  if (auto answer = slow.receive(); !answer) return tl::unexpected(answer.error());
  return {};
}

// Nine trajectories as fast as they can, alone and while a tenth sits in one long call.
Expected<void> measure_nine_beside_one(const Setup& setup, Row& row) {
  auto agent = AgentTarget::start(setup, setup.slotd_binary, 1);
  if (!agent) return tl::unexpected(agent.error());
  auto leases = agent->acquire(kSlots);
  if (!leases) return tl::unexpected(leases.error());
  const HeldLease tenth = leases->back();
  leases->pop_back();
  auto slow = Caller::connect(agent->process.port());
  if (!slow) return tl::unexpected(slow.error());
  const int count = 3000 / setup.scale;
  std::vector<double> alone;
  std::vector<double> beside;
  for (int round = 0; round < setup.rounds; ++round) {
    const std::string id = "slow-" + std::to_string(round);
    const auto a = call_rate(agent->process.port(), true_in(*leases), count, is_success);
    if (!a) return tl::unexpected(a.error());
    if (auto sent = slow->send(tenth.bash("sleep 290", R"(,"execution_id":")" + id + "\"")); !sent) return sent;
    const auto b = call_rate(agent->process.port(), true_in(*leases), count, is_success);
    if (!b) return tl::unexpected(b.error());
    if (auto ended = end_slow(*agent, tenth, id, *slow); !ended) return ended;
    alone.push_back(*a);
    beside.push_back(*b);
    row.values.push_back(*a / *b);
  }
  row.detail = pair_text(alone, beside, "/s");
  return {};
}

// Ten slots are taken one after the other and all given back: no reset runs while a request is timed.
Expected<void> measure_acquire(const Setup& setup, Row& row) {
  auto agent = AgentTarget::start(setup, setup.slotd_binary, 1);
  if (!agent) return tl::unexpected(agent.error());
  const std::string empty = prepare("GET", "/healthz");
  std::vector<double> slow;
  std::vector<double> nothing;
  std::vector<double> usual;
  std::vector<double> slow_nothing;
  for (int round = 0; round < setup.rounds; ++round) {
    std::vector<double> times;
    std::vector<double> empties;
    for (int cycle = 0; cycle < kAcquireCycles / setup.scale; ++cycle) {
      const auto leases = agent->acquire(kSlots, &times);
      if (!leases) return tl::unexpected(leases.error());
      if (auto freed = agent->release(*leases, kSlots); !freed) return freed;
      const auto samples = call_serially(agent->caller, empty, kSlots, is_ok);
      if (!samples) return tl::unexpected(samples.error());
      empties.insert(empties.end(), samples->begin(), samples->end());
    }
    slow.push_back(percentile(times, 0.99));
    usual.push_back(median(times));
    nothing.push_back(median(empties));
    slow_nothing.push_back(percentile(empties, 0.99));
    row.values.push_back(slow.back() / nothing.back());
  }
  // The empty request's own p99 tells how much of the tail is the machine's.
  row.detail = pair_text(slow, nothing, "ms") + ", p50 " + format_number(median(usual)) + " ms; empty p99 " +
               format_number(median(slow_nothing)) + " ms; without a store";
  return {};
}

}  // namespace

std::vector<Measurement> agent_measurements() {
  const auto at_most = [](const char* name, const char* what, const char* unit, double most) {
    return Row{.name = name, .what = what, .unit = unit, .budget = Budget{Bound::at_most, most}};
  };
  return {
      {at_most("agent-latency", "agent: adds to bash `true`, p50 / what a pass-through adds", "x", 2.5), measure_added},
      {at_most("agent-p99", "agent: adds to bash `true`, p99", "ms", 0.5), measure_added_p99},
      {{.name = "agent-throughput",
        .what = "agent: bash, ten trajectories / bare spawn, all cores",
        .unit = "x",
        .budget = Budget{Bound::at_least, 0.65}},
       measure_ten},
      {at_most("agent-beside-slow", "agent: nine trajectories alone / beside one slow call", "x", 1.05),
       measure_nine_beside_one},
      {at_most("acquire", "agent: warm acquire, p99 / empty request, p50", "x", 10), measure_acquire},
  };
}

}  // namespace berth::bench
