// SPDX-License-Identifier: Apache-2.0
// One call after the other.
#include <sched.h>

#include "bench/measure.hpp"
#include "bench/pass_through.hpp"
#include "bench/spawn.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

using Samples = Expected<std::vector<double>>;

// Interleaves two sides and notes the ratio of their medians.
template <typename Left, typename Right>
Expected<void> compare(const Setup& setup, Row& row, Left left, Right right) {
  std::vector<double> lefts;
  std::vector<double> rights;
  for (int round = 0; round < setup.rounds; ++round) {
    const Samples a = left();
    if (!a) return tl::unexpected(a.error());
    const Samples b = right();
    if (!b) return tl::unexpected(b.error());
    lefts.push_back(median(*a));
    rights.push_back(median(*b));
    row.values.push_back(lefts.back() / rights.back());
  }
  row.detail = pair_text(lefts, rights, "ms");
  return {};
}

Expected<std::string> limits_in_force(Caller& caller) {
  const auto health = caller.call(prepare("GET", "/health"));
  if (!health) return tl::unexpected(health.error());
  // Its keys are in order: what is in force stands before the level.
  const std::string_view in_force = health->body.substr(0, health->body.find("\"level\""));
  std::string limits;
  for (const char* const each : {"memory", "pids", "cpu"}) {
    if (in_force.find("\"" + std::string(each) + "_limit\"") != std::string_view::npos)
      limits += (limits.empty() ? ", " : " and ") + std::string(each);
  }
  return limits.empty() ? ", no cgroup in force" : limits + " by cgroup";
}

Expected<void> measure_empty(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  std::vector<double> slow;
  for (int round = 0; round < setup.rounds; ++round) {
    const Samples samples = call_serially(target->caller, empty_request(), 4000 / setup.scale, is_ok);
    if (!samples) return tl::unexpected(samples.error());
    row.values.push_back(median(*samples));
    slow.push_back(percentile(*samples, 0.99));
  }
  row.detail = "GET /slots, p99 " + format_number(median(slow)) + " ms";
  return {};
}

Expected<void> measure_bash(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  const int count = 500 / setup.scale;
  const std::string request = bash(0, "true");
  if (auto warm = call_serially(target->caller, request, 20, is_success); !warm) return tl::unexpected(warm.error());
  auto measured = compare(
      setup, row, [&] { return call_serially(target->caller, request, count, is_success); },
      [&] { return spawn_serially(count, target->process.system()); });
  if (!measured) return measured;
  const auto limits = limits_in_force(target->caller);
  if (!limits) return tl::unexpected(limits.error());
  row.detail += *limits;
  return {};
}

// A relay adds to each request; the figure is what one that only copies adds.
Expected<void> measure_pass_through(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  const PassThrough relay(target->process.where());
  auto through = Caller::connect(relay.port());
  if (!through) return tl::unexpected(through.error());
  const std::string request = bash(0, "true");
  const int count = 500 / setup.scale;
  std::vector<double> direct;
  std::vector<double> relayed;
  for (int round = 0; round < setup.rounds; ++round) {
    const Samples a = call_serially(*through, request, count, is_success);
    const Samples b = call_serially(target->caller, request, count, is_success);
    if (!a || !b) return tl::unexpected(a ? b.error() : a.error());
    relayed.push_back(median(*a));
    direct.push_back(median(*b));
    row.values.push_back(relayed.back() - direct.back());
  }
  row.detail = pair_text(relayed, direct, "ms");
  return {};
}

// The caller on one core, the server and its slots on the others, as if the caller were elsewhere. Left to itself the
// kernel has both share a core or not, which alone changes an empty request from 13 to 80 us. Restores on destruction.
class OwnCore {
 public:
  OwnCore() {
    known_ = ::sched_getaffinity(0, sizeof(all_), &all_) == 0 && CPU_COUNT(&all_) > 1;
    if (!known_) return;
    CPU_ZERO(&first_);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all_)) ++cpu;
    CPU_SET(cpu, &first_);
    CPU_XOR(&others_, &all_, &first_);
    ::sched_setaffinity(0, sizeof(others_), &others_);  // what starts now stays there
  }
  ~OwnCore() {
    if (known_) ::sched_setaffinity(0, sizeof(all_), &all_);
  }
  OwnCore(const OwnCore&) = delete;
  OwnCore& operator=(const OwnCore&) = delete;

  // Then the server, which may have been started by somebody else, with all that it has started.
  void take_from(const SlotdProcess& server) const {
    if (!known_) return;
    ::sched_setaffinity(0, sizeof(first_), &first_);
    server.keep_to(others_);
  }

 private:
  cpu_set_t all_{};
  cpu_set_t first_{};
  cpu_set_t others_{};
  bool known_ = false;
};

Expected<void> compare_with_empty(const Setup& setup, Row& row, const std::string& first, const std::string& request) {
  const OwnCore core;
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  Caller& caller = target->caller;
  if (auto made = call_serially(caller, first, 1, is_success); !made) return tl::unexpected(made.error());
  core.take_from(target->process);
  const int count = 2000 / setup.scale;
  return compare(
      setup, row, [&] { return call_serially(caller, request, count, is_success); },
      [&] { return call_serially(caller, empty_request(), count, is_ok); });
}

std::string write_file() {
  return execute(0, "write_file", R"({"path":"f.txt","content":")" + std::string(1000, 'x') + "\"}");
}

Expected<void> measure_write(const Setup& setup, Row& row) {
  return compare_with_empty(setup, row, write_file(), write_file());
}

Expected<void> measure_read(const Setup& setup, Row& row) {
  return compare_with_empty(setup, row, write_file(), execute(0, "read_file", R"({"path":"f.txt"})"));
}

Expected<void> measure_session(const Setup& setup, Row& row) {
  const std::string request = execute(0, "bash_stateful", R"({"command":"true"})");
  return compare_with_empty(setup, row, request, request);
}

}  // namespace

std::vector<Measurement> latency_measurements() {
  return {
      {{.name = "empty-request", .what = "empty request, serial, p50", .unit = "ms"}, measure_empty},
      {{.name = "bash-serial",
        .what = "isolated bash `true`, serial, p50 / bare posix_spawn of sh",
        .hard = true,
        .unit = "x",
        .budget = Budget{Bound::at_most, 1.4}},
       measure_bash},
      {{.name = "pass-through", .what = "a bare Asio pass-through adds to that", .unit = "ms"}, measure_pass_through},
      {{.name = "read-file",
        .what = "read_file 1 kB, p50 / empty request",
        .unit = "x",
        .budget = Budget{Bound::at_most, 2}},
       measure_read},
      {{.name = "write-file",
        .what = "write_file 1 kB, p50 / empty request",
        .unit = "x",
        .budget = Budget{Bound::at_most, 2}},
       measure_write},
      {{.name = "session",
        .what = "command in a live shell session, p50 / empty request",
        .unit = "x",
        .budget = Budget{Bound::at_most, 4}},
       measure_session},
  };
}

}  // namespace berth::bench
