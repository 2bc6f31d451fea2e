// SPDX-License-Identifier: Apache-2.0
// Bytes: on disk, idle, under load.
#include <algorithm>
#include <filesystem>

#include "bench/measure.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

Expected<void> measure_binary(const Setup& setup, Row& row) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(setup.slotd_binary, error);
  if (error) return fail("slotd", setup.slotd_binary + ": " + error.message());
  row.values.push_back(static_cast<double>(bytes) / 1e6);
  return {};
}

Expected<void> measure_idle(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  const auto resident = target->process.memory("VmRSS");
  if (!resident) return tl::unexpected(resident.error());
  row.values.push_back(*resident * 1.048576);
  row.detail = std::to_string(kSlots) + " slots, just started";
  return {};
}

Expected<void> measure_keepers(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  std::vector<double> sizes;
  for (const int pid : target->process.descendants()) {
    const auto size = SlotdProcess::proportional_memory(pid);
    if (size) sizes.push_back(*size * 1.048576);
  }
  if (sizes.empty()) return fail("proc", "no process below slotd whose memory can be read");
  double total = 0;
  for (const double size : sizes) total += size;
  row.values.push_back(total / kSlots);
  row.detail = std::to_string(sizes.size()) + " processes below slotd, the largest " +
               format_number(*std::max_element(sizes.begin(), sizes.end())) + " MB";
  return {};
}

Expected<void> measure_output(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  if (auto forgotten = target->process.forget_peak(); !forgotten) return forgotten;
  const std::string bytes = std::to_string(10'000'000'000LL / setup.scale);
  const auto answer = target->caller.call(bash(0, "head -c " + bytes + " /dev/zero"));
  if (!answer) return tl::unexpected(answer.error());
  if (answer->body.find("\"stdout_bytes\":" + bytes) == std::string_view::npos) {
    return fail("answer", "the call did not count " + bytes + " bytes: " + std::string(answer->body.substr(0, 200)));
  }
  const auto peak = target->process.memory("VmHWM");
  if (!peak) return tl::unexpected(peak.error());
  row.values.push_back(*peak * 1.048576);
  row.detail = "peak of slotd while " + bytes + " bytes pass";
  return {};
}

// Zeros pack so well that only the end tells: all of it passes through before it is refused.
Expected<void> measure_archive(const Setup& setup, Row& row) {
  auto target = start_target(setup);
  if (!target) return tl::unexpected(target.error());
  const std::string bytes = std::to_string(1'000'000'000 / setup.scale);
  const std::string most = std::to_string(970'000 / setup.scale);
  const std::string make = bash(0, "truncate -s " + bytes + " zeros");
  if (auto made = call_serially(target->caller, make, 1, is_success); !made) return tl::unexpected(made.error());
  if (auto forgotten = target->process.forget_peak(); !forgotten) return forgotten;
  const Stopwatch watch;
  const auto answer =
      target->caller.call(prepare("POST", "/artifacts/archive", R"({"slot_id":"slot_0","max_bytes":)" + most + "}"));
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status != 413) return fail("answer", "not refused: " + std::string(answer->body.substr(0, 200)));
  const auto peak = target->process.memory("VmHWM");
  if (!peak) return tl::unexpected(peak.error());
  row.values.push_back(*peak * 1.048576);
  row.detail =
      "peak of slotd, " + bytes + " bytes packed and refused in " + format_number(watch.milliseconds()) + " ms";
  return {};
}

}  // namespace

std::vector<Measurement> size_measurements() {
  const auto row = [](const char* name, const char* what, double megabytes) {
    return Row{.name = name, .what = what, .hard = true, .unit = "MB", .budget = Budget{Bound::at_most, megabytes}};
  };
  return {
      {row("slotd-size", "slotd: binary", 5), measure_binary},
      {row("rss-idle", "slotd: RSS idle", 8), measure_idle},
      {row("keeper-memory", "slotd: memory (PSS) of a keeper", 0.5), measure_keepers},
      {row("rss-output", "slotd: RSS under a 10 GB output", 32), measure_output},
      {row("rss-archive", "slotd: RSS under a refused 1 GB archive", 32), measure_archive},
  };
}

}  // namespace berth::bench
