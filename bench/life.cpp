// SPDX-License-Identifier: Apache-2.0
// From a used slot to one that is available again.
#include "bench/measure.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

Expected<void> litter(Caller& caller) {
  const std::string files = bash(0, "i=0; while [ $i -lt 1000 ]; do echo x > f$i; i=$((i+1)); done");
  const std::string processes = execute(
      0, "exec",
      R"({"argv":["/bin/sh","-c","i=0; while [ $i -lt 19 ]; do sleep 300 & i=$((i+1)); done; echo ready > started; wait"],)"
      R"("background":true})");
  const std::string wait = bash(0, "until [ -s started ]; do :; done");
  for (const std::string& request : {files, processes, wait}) {
    if (auto done = call_serially(caller, request, 1, is_success); !done) return tl::unexpected(done.error());
  }
  return {};
}

bool is_available(const Answer& answer) {
  constexpr std::string_view kFirst = R"("slot_id":"slot_0","state":"available")";
  return answer.status == 200 && answer.body.find(kFirst) != std::string_view::npos;
}

// From asking for the reset until the slot is said to be available.
Expected<double> reset_once(Caller& caller) {
  const std::string reset = prepare("POST", "/reset", R"({"slot_id":"slot_0"})");
  const std::string state = empty_request();
  const Stopwatch watch;
  const auto answer = caller.call(reset);
  if (!answer) return tl::unexpected(answer.error());
  if (!is_success(*answer)) return fail("answer", "reset: " + std::string(answer->body.substr(0, 300)));
  while (true) {
    const auto slots = caller.call(state);
    if (!slots) return tl::unexpected(slots.error());
    if (is_available(*slots)) return watch.milliseconds();
  }
}

Expected<std::vector<double>> reset_often(Caller& caller, int count) {
  std::vector<double> samples;
  for (int i = 0; i < count; ++i) {
    if (auto littered = litter(caller); !littered) return tl::unexpected(littered.error());
    const auto took = reset_once(caller);
    if (!took) return tl::unexpected(took.error());
    samples.push_back(*took);
  }
  return samples;
}

Expected<void> measure_reset(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  std::vector<double> slow;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto samples = reset_often(target->caller, 40 / setup.scale);
    if (!samples) return tl::unexpected(samples.error());
    row.values.push_back(percentile(*samples, 0.99));
    slow.push_back(median(*samples));
  }
  row.detail = "1,000 files and 20 processes, p50 " + format_number(median(slow)) + " ms";
  return {};
}

}  // namespace

std::vector<Measurement> life_measurements() {
  return {{{.name = "reset", .what = "reset to available, p99", .unit = "ms", .budget = Budget{Bound::at_most, 20}},
           measure_reset}};
}

}  // namespace berth::bench
