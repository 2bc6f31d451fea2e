// SPDX-License-Identifier: Apache-2.0
// Slots in containers of a Docker engine: how fast they come, beside plain containers of the same image and engine.
#include <poll.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "bench/agent_process.hpp"
#include "bench/docker_engine.hpp"
#include "bench/measure.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

using Json = nlohmann::json;
constexpr int kContainers = 20;
constexpr double kUpPatienceMs = 120'000;
constexpr auto kGonePace = std::chrono::milliseconds(20);

std::string job_of(const Setup& setup, int containers, int slots) {
  const std::string count = std::to_string(containers);
  return "job: bench\ndriver: docker\nimage: " + setup.image + "\nslots: " + std::to_string(slots) +
         "\ncontainers: {min: " + count + ", max: " + count + "}\n";
}

// Somebody who wants a slot and one `true` in it, on a connection of its own.
struct Wanting {
  Caller caller;
  bool has_slot = false;
  bool done = false;
};

Expected<void> go_on(Wanting& one) {
  const auto answer = one.caller.receive();
  if (!answer) return tl::unexpected(answer.error());
  if (one.has_slot) {
    one.done = is_success(*answer);
    if (!one.done) return fail("answer", std::string(answer->body.substr(0, 300)));
    return {};
  }
  const Json lease = Json::parse(answer->body, nullptr, false);
  if (answer->status != 201 || !lease.is_object())
    return fail("answer", "no lease: " + std::string(answer->body.substr(0, 300)));
  one.has_slot = true;
  const std::string path = "/v1/leases/" + lease.value("lease", "") + "/executions";
  return one.caller.send(prepare("POST", path, R"({"tool":"bash","args":{"command":"true"}})"));
}

struct Times {
  double first = 0;
  double all = 0;
};

// Milliseconds of `watch` when the first and when each of them has its result.
Expected<Times> wait_for_results(std::vector<Wanting>& all, const Stopwatch& watch) {
  std::vector<pollfd> waits;
  for (const Wanting& one : all) waits.push_back({one.caller.fd(), POLLIN, 0});
  Times times;
  for (std::size_t left = all.size(); left > 0;) {
    const double patience = kUpPatienceMs - watch.milliseconds();
    if (patience <= 0 || ::poll(waits.data(), waits.size(), static_cast<int>(patience)) <= 0)
      return fail("agent", std::to_string(left) + " slots did not come up");
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (waits[i].revents == 0) continue;
      if (auto went = go_on(all[i]); !went) return tl::unexpected(went.error());
      if (!all[i].done) continue;
      waits[i].fd = -1;
      if (left-- == all.size()) times.first = watch.milliseconds();
    }
  }
  times.all = watch.milliseconds();
  return times;
}

Expected<void> remove_job(const AgentProcess& agent) {
  auto caller = Caller::connect(agent.port());
  if (!caller) return tl::unexpected(caller.error());
  const Stopwatch watch;
  std::string request = prepare("DELETE", "/v1/jobs/bench?force=1");
  while (watch.milliseconds() < kUpPatienceMs) {
    const auto answer = caller->call(request);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 404) return {};
    request = prepare("GET", "/v1/jobs/bench");
    std::this_thread::sleep_for(kGonePace);
  }
  return fail("agent", "the job does not go away");
}

// From the job to a result of every slot that it has; then it is taken down.
Expected<Times> bring_up(const Setup& setup, const AgentProcess& agent, int containers, int slots) {
  auto caller = Caller::connect(agent.port());
  if (!caller) return tl::unexpected(caller.error());
  std::vector<Wanting> all;
  for (int i = 0; i < containers * slots; ++i) {
    auto one = Caller::connect(agent.port());
    if (!one) return tl::unexpected(one.error());
    all.push_back({std::move(*one)});
  }
  const Stopwatch watch;
  const auto put = caller->call(prepare("PUT", "/v1/jobs/bench", job_of(setup, containers, slots)));
  if (!put) return tl::unexpected(put.error());
  if (put->status >= 300) return fail("agent", "the job was refused: " + std::string(put->body.substr(0, 300)));
  for (Wanting& one : all) {
    const std::string lease = prepare("POST", "/v1/leases", R"({"job":"bench","wait":"60s"})");
    if (auto sent = one.caller.send(lease); !sent) return tl::unexpected(sent.error());
  }
  const auto times = wait_for_results(all, watch);
  if (!times) return times;
  if (auto removed = remove_job(agent); !removed) return tl::unexpected(removed.error());
  return times;
}

Expected<double> plain(const Setup& setup, int count) {
  PlainContainers containers(setup.engine, setup.image);
  return containers.start(count);
}

Expected<void> measure_crowd_up(const Setup& setup, Row& row) {
  const auto agent = AgentProcess::start(setup.berth_binary, setup.slotd_binary);
  if (!agent) return tl::unexpected(agent.error());
  std::vector<double> first;
  std::vector<double> all;
  std::vector<double> bare;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto a = bring_up(setup, *agent, kContainers, kSlots);
    if (!a) return tl::unexpected(a.error());
    const auto b = plain(setup, kContainers);
    if (!b) return tl::unexpected(b.error());
    first.push_back(a->first);
    all.push_back(a->all);
    bare.push_back(*b);
    row.values.push_back(a->all / *b);
  }
  row.detail = pair_text(all, bare, "ms") + "; the first result after " + format_number(median(first)) + " ms";
  return {};
}

Expected<void> measure_injection(const Setup& setup, Row& row) {
  const auto agent = AgentProcess::start(setup.berth_binary, setup.slotd_binary);
  if (!agent) return tl::unexpected(agent.error());
  std::vector<double> ours;
  std::vector<double> bare;
  for (int round = 0; round < 2 * setup.rounds; ++round) {
    const auto a = bring_up(setup, *agent, 1, 1);
    if (!a) return tl::unexpected(a.error());
    const auto b = plain(setup, 1);
    if (!b) return tl::unexpected(b.error());
    ours.push_back(a->all);
    bare.push_back(*b);
    row.values.push_back(a->all - *b);
  }
  row.detail = pair_text(ours, bare, "ms") + ", to the first result of its slot";
  return {};
}

}  // namespace

std::vector<Measurement> docker_measurements() {
  return {
      {{.name = "docker-crowd",
        .what = "20 containers x 10 slots: all 200 / 20 `docker run`",
        .unit = "x",
        .budget = Budget{Bound::at_most, 1.5}},
       measure_crowd_up},
      {{.name = "docker-injection",
        .what = "one container: its slot serves, more than `docker run`",
        .unit = "ms",
        .budget = Budget{Bound::at_most, 400}},
       measure_injection},
  };
}

}  // namespace berth::bench
