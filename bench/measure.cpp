// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.hpp"

#include "bench/contained.hpp"
#include "bench/stats.hpp"

namespace berth::bench {

std::string execute(int slot, const std::string& tool, const std::string& args, const std::string& more) {
  return prepare("POST", "/execute",
                 R"({"slot_id":"slot_)" + std::to_string(slot) + R"(","tool":")" + tool + R"(","args":)" + args +
                     R"(,"timeout":300)" + more + "}");
}

Expected<Target> start_target(const Setup& setup) {
  auto process = setup.engine.empty() ? SlotdProcess::start(setup.slotd_binary, kSlots) : start_contained(setup);
  if (!process) return tl::unexpected(process.error());
  auto caller = Caller::connect(process->where());
  if (!caller) return tl::unexpected(caller.error());
  return Target{std::move(*process), std::move(*caller)};
}

std::string pair_text(const std::vector<double>& left, const std::vector<double>& right, const char* unit) {
  return format_number(median(left)) + " " + unit + " / " + format_number(median(right)) + " " + unit;
}

}  // namespace berth::bench
