// SPDX-License-Identifier: Apache-2.0
// What the agent counts and times. No slot, lease or trajectory ever becomes a label; job names, states, causes and
// codes do. Made before the runtime, outlives it. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/pool/effects.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "berth/call.hpp"

namespace berth::agent {

// The word of metadata.cause; "unknown" for any other text.
[[nodiscard]] std::string_view cause_word(const Result& result);

class AgentMetrics {
 public:
  AgentMetrics();
  AgentMetrics(const AgentMetrics&) = delete;
  AgentMetrics& operator=(const AgentMetrics&) = delete;

  // For RuntimeOptions::observer; `now` times resets and starts of containers.
  void observe(const pool::Effect& effect, TimePoint now = berth::now());

  // An acquire was answered after so long; `outcome` is "granted", "again", "cancelled" or a code of pool::Refused.
  void acquired(std::string_view outcome, Duration took);
  // A call was answered. Tools that no slot server knows count as "other".
  void called(std::string_view tool, const Result& result, std::string_view cause, Duration took);
  // A tool server was asked; `outcome` is "answered" or a cause.
  void called_outside(std::string_view outcome, Duration took);
  // A call was not accepted, by error code.
  void call_refused(std::string_view code);
  void requested(std::string_view route, int status, Duration took);
  void denied();
  void moved_bytes(std::string_view direction, std::uint64_t bytes);  // "in" or "out" of slots

  // `refresh` sets what is looked up only when somebody asks, for as long as these metrics live.
  void on_scrape(std::function<void(MetricsRegistry&)> refresh) { refreshers_.push_back(std::move(refresh)); }
  // The whole exposition, of now.
  [[nodiscard]] std::string expose();

 private:
  void on(const pool::LeaseEnded& effect, TimePoint now);
  void on(const pool::SlotChanged& effect, TimePoint now);
  void on(const pool::ContainerChanged& effect, TimePoint now);
  void on(const pool::Refused& effect, TimePoint now);
  template <typename Other>
  void on(const Other&, TimePoint) {}

  MetricsRegistry registry_;
  std::vector<std::function<void(MetricsRegistry&)>> refreshers_;
  std::map<std::string, TimePoint, std::less<>> cleaning_;  // slots under reset, since when
  std::map<std::string, TimePoint, std::less<>> starting_;  // containers that start, since when
  Counter& leases_ended_;
  Counter& slot_changes_;
  Counter& container_changes_;
  Counter& acquires_;
  Counter& acquires_refused_;
  Counter& calls_;
  Counter& calls_refused_;
  Counter& external_calls_;
  Counter& requests_;
  Counter& denied_;
  Counter& file_bytes_;
  Histogram& acquire_seconds_;
  Histogram& call_seconds_;
  Histogram& call_wait_seconds_;
  Histogram& external_call_seconds_;
  Histogram& reset_seconds_;
  Histogram& start_seconds_;
  Histogram& request_seconds_;
};

}  // namespace berth::agent
