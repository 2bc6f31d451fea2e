// SPDX-License-Identifier: Apache-2.0
#include "bench/agent_target.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/stats.hpp"

namespace berth::bench {
namespace {

using Json = nlohmann::json;
constexpr double kFreePatienceMs = 30'000;
constexpr auto kPause = std::chrono::milliseconds(1);

Expected<HeldLease> lease_in(const Answer& answer) {
  const Json facts = Json::parse(answer.body, nullptr, false);
  if (answer.status != 201 || !facts.is_object())
    return fail("answer", "no lease: " + std::string(answer.body.substr(0, 300)));
  return HeldLease{facts.value("lease", ""), facts.value("container", ""), facts.value("slot", "")};
}

// {"slots": {"available": N}} of the job.
Expected<unsigned> free_slots(Caller& caller) {
  const auto answer = caller.call(prepare("GET", "/v1/jobs/bench"));
  if (!answer) return tl::unexpected(answer.error());
  const Json facts = Json::parse(answer->body, nullptr, false);
  const auto at = Json::json_pointer("/slots/available");
  if (!facts.contains(at)) return fail("answer", "no slots in " + std::string(answer->body.substr(0, 300)));
  return facts.at(at).get<unsigned>();
}

// In containers each slot has limits, and there is none where they cannot be in force.
std::string job_of(const Setup& setup, unsigned containers) {
  const std::string count = std::to_string(containers);
  std::string job =
      "job: bench\nslots: " + std::to_string(kSlots) + "\ncontainers: {min: " + count + ", max: " + count + "}\n";
  if (setup.engine.empty()) return job;
  return job + "driver: docker\nisolation: strict\nimage: " + setup.image +
         "\nslot: {memory: 256MiB, pids: 128, cpu: 2, disk: 64MiB}\n";
}

}  // namespace

std::string HeldLease::bash(const std::string& command, const std::string& more) const {
  return prepare("POST", path() + "/executions",
                 R"({"tool":"bash","args":{"command":")" + command + R"("},"timeout":300)" + more + "}");
}

std::string HeldLease::bash_straight(const std::string& command) const {
  return prepare(
      "POST", "/execute",
      R"({"slot_id":")" + slot + R"(","tool":"bash","args":{"command":")" + command + R"("},"timeout":300})");
}

Expected<AgentTarget> AgentTarget::start(const Setup& setup, const std::string& slotd, unsigned containers) {
  auto process = AgentProcess::start(setup.berth_binary, slotd);
  if (!process) return tl::unexpected(process.error());
  if (auto applied = process->apply("bench", job_of(setup, containers)); !applied)
    return tl::unexpected(applied.error());
  auto caller = Caller::connect(process->port());
  if (!caller) return tl::unexpected(caller.error());
  return AgentTarget{std::move(*process), std::move(*caller)};
}

Expected<std::vector<HeldLease>> AgentTarget::acquire(int count, std::vector<double>* times) {
  const std::string request = prepare("POST", "/v1/leases", R"({"job":"bench"})");
  std::vector<HeldLease> leases;
  for (int i = 0; i < count; ++i) {
    const Stopwatch watch;
    const auto answer = caller.call(request);
    const double took = watch.milliseconds();
    if (!answer) return tl::unexpected(answer.error());
    auto lease = lease_in(*answer);
    if (!lease) return tl::unexpected(lease.error());
    leases.push_back(std::move(*lease));
    if (times != nullptr) times->push_back(took);
  }
  return leases;
}

Expected<void> AgentTarget::release(const std::vector<HeldLease>& leases, unsigned free_then) {
  for (const HeldLease& lease : leases) {
    const auto answer = caller.call(prepare("DELETE", lease.path()));
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 204) return fail("answer", "release: " + std::string(answer->body.substr(0, 300)));
  }
  const Stopwatch watch;
  while (watch.milliseconds() < kFreePatienceMs) {
    const auto free = free_slots(caller);
    if (!free) return tl::unexpected(free.error());
    if (*free >= free_then) return {};
    std::this_thread::sleep_for(kPause);
  }
  return fail("agent", "released slots do not become available");
}

}  // namespace berth::bench
