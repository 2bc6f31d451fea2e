// SPDX-License-Identifier: Apache-2.0
// Many calls at once.
#include <thread>

#include "bench/measure.hpp"
#include "bench/spawn.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

std::vector<std::string> bash_in_every_slot() {
  std::vector<std::string> requests;
  for (int slot = 0; slot < kSlots; ++slot) requests.push_back(bash(slot, "true"));
  return requests;
}

Expected<void> measure_throughput(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const int count = 3000 / setup.scale;
  std::vector<double> isolated;
  std::vector<double> bare;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto a = call_rate(target->process.where(), bash_in_every_slot(), count, is_success);
    if (!a) return tl::unexpected(a.error());
    const auto b = spawn_rate(count, cores, target->process.system());
    if (!b) return tl::unexpected(b.error());
    isolated.push_back(*a);
    bare.push_back(*b);
    row.values.push_back(*a / *b);
  }
  row.detail = pair_text(isolated, bare, "/s") + " on " + std::to_string(cores) + " cores";
  return {};
}

// A call that takes as long as the measurement, in another slot; ended by its execution id.
Expected<void> measure_beside_slow(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  auto slow = Caller::connect(target->process.where());
  if (!slow) return tl::unexpected(slow.error());
  const std::string request = bash(1, "true");
  const int count = 300 / setup.scale;
  std::vector<double> alone;
  std::vector<double> beside;
  for (int round = 0; round < setup.rounds; ++round) {
    const std::string id = "slow-" + std::to_string(round);
    const auto a = call_serially(target->caller, request, count, is_success);
    if (!a) return tl::unexpected(a.error());
    const std::string sleep = execute(0, "bash", R"({"command":"sleep 290"})", R"(,"execution_id":")" + id + "\"");
    if (auto sent = slow->send(sleep); !sent) return sent;
    const auto b = call_serially(target->caller, request, count, is_success);
    if (!b) return tl::unexpected(b.error());
    const auto ended = target->caller.call(prepare("DELETE", "/slots/slot_0/executions/" + id));
    if (!ended) return tl::unexpected(ended.error());
    if (auto answer = slow->receive(); !answer) return tl::unexpected(answer.error());
    alone.push_back(median(*a));
    beside.push_back(median(*b));
    row.values.push_back(beside.back() / alone.back());
  }
  row.detail = pair_text(beside, alone, "ms");
  return {};
}

Expected<void> measure_processes_left(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  const ProcessCount before = target->process.count_descendants();
  const int calls = 10'000 / setup.scale;
  const auto rate = call_rate(target->process.where(), bash_in_every_slot(), calls, is_success);
  if (!rate) return tl::unexpected(rate.error());
  const ProcessCount after = target->process.count_descendants();
  row.values.push_back(after.alive - before.alive + after.zombies);
  row.detail = std::to_string(calls) + " calls, " + std::to_string(before.alive) +
               " processes below slotd before and " + std::to_string(after.alive) + " after, " +
               std::to_string(after.zombies) + " zombies";
  return {};
}

}  // namespace

std::vector<Measurement> load_measurements() {
  return {
      {{.name = "throughput",
        .what = "isolated bash throughput, 10 slots / bare spawn, all cores",
        .hard = true,
        .unit = "x",
        .budget = Budget{Bound::at_least, 0.65}},
       measure_throughput},
      {{.name = "beside-slow",
        .what = "others beside one slow call, p50 / alone",
        .unit = "x",
        .budget = Budget{Bound::at_most, 1.05}},
       measure_beside_slow},
      {{.name = "processes-left",
        .what = "processes left after 10,000 calls",
        .hard = true,
        .unit = "",
        .budget = Budget{Bound::exactly, 0}},
       measure_processes_left},
  };
}

}  // namespace berth::bench
