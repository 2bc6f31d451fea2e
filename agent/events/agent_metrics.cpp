// SPDX-License-Identifier: Apache-2.0
#include "agent/events/agent_metrics.hpp"

#include <algorithm>
#include <array>

namespace berth::agent {
namespace {

const std::vector<double> kShort{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30};
const std::vector<double> kLong{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600};

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// Results carry metadata as slotd wrote it: the cause is a plain word, which no parser is needed for.
std::string_view cause_of(const Result& result) {
  const auto key = result.metadata.find("\"cause\"");
  if (key == std::string::npos) return "unknown";
  const auto from = result.metadata.find('"', key + 7);
  const auto to = from == std::string::npos ? from : result.metadata.find('"', from + 1);
  if (to == std::string::npos) return "unknown";
  const auto cause = cause_from_string(std::string_view(result.metadata).substr(from + 1, to - from - 1));
  return cause ? to_string(*cause) : "unknown";
}

std::string slot_key(const std::string& container, unsigned slot) {
  return container + ":" + std::to_string(slot);
}

std::string two_labels(std::string_view first, std::string_view first_value, std::string_view second,
                       std::string_view second_value) {
  return metric_label(first, first_value) + "," + metric_label(second, second_value);
}

}  // namespace

AgentMetrics::AgentMetrics()
    : leases_ended_(registry_.counter("berth_leases_ended_total", "Leases that ended, by reason.")),
      slot_changes_(registry_.counter("berth_slot_changes_total", "Changes of slots, by job and new state.")),
      container_changes_(
          registry_.counter("berth_container_changes_total", "Changes of containers, by job and new state.")),
      acquires_(registry_.counter("berth_acquires_total", "Requests for a slot that were answered, by outcome.")),
      acquires_refused_(registry_.counter("berth_acquires_refused_total", "Requests for a slot refused, by code.")),
      calls_(registry_.counter("berth_calls_total", "Calls that were answered, by tool and cause.")),
      calls_refused_(registry_.counter("berth_calls_refused_total", "Calls that were not accepted, by code.")),
      requests_(registry_.counter("berth_http_requests_total", "HTTP requests, by route and status.")),
      denied_(registry_.counter("berth_http_denied_total", "Requests without the right token.")),
      file_bytes_(registry_.counter("berth_file_bytes_total", "Bytes of files moved into and out of slots.")),
      acquire_seconds_(registry_.histogram("berth_acquire_seconds", "From asking for a slot to the answer.", kLong)),
      call_seconds_(registry_.histogram("berth_call_seconds", "From a call's arrival to its answer.", kLong)),
      reset_seconds_(registry_.histogram("berth_reset_seconds", "From the end of a lease to a clean slot.", kLong)),
      start_seconds_(
          registry_.histogram("berth_container_start_seconds", "From asking for a container to serving.", kLong)),
      request_seconds_(registry_.histogram("berth_http_request_seconds", "Handling of HTTP requests.", kShort)) {}

void AgentMetrics::observe(const pool::Effect& effect, TimePoint now) {
  std::visit([this, now](const auto& each) { on(each, now); }, effect);
}

void AgentMetrics::on(const pool::LeaseEnded& effect, TimePoint) {
  leases_ended_.add(1, metric_label("why", pool::to_string(effect.why)));
}

void AgentMetrics::on(const pool::SlotChanged& effect, TimePoint now) {
  slot_changes_.add(1, two_labels("job", effect.job, "state", pool::to_string(effect.to)));
  const auto key = slot_key(effect.container, effect.slot);
  const auto since = cleaning_.find(key);
  const bool clean = effect.to == pool::SlotState::available;
  if (clean && since != cleaning_.end()) reset_seconds_.observe(seconds(now - since->second));
  if (effect.to == pool::SlotState::releasing && since == cleaning_.end()) cleaning_.emplace(key, now);
  const bool over = clean || effect.to == pool::SlotState::lost;
  if (over && since != cleaning_.end()) cleaning_.erase(since);
}

void AgentMetrics::on(const pool::ContainerChanged& effect, TimePoint now) {
  if (effect.from == effect.to && effect.to != pool::ContainerState::starting) return;
  container_changes_.add(1, two_labels("job", effect.job, "state", pool::to_string(effect.to)));
  const auto since = starting_.find(effect.container);
  if (effect.to == pool::ContainerState::starting) {
    starting_.try_emplace(effect.container, now);
    return;
  }
  if (since == starting_.end()) return;
  if (effect.to == pool::ContainerState::up) start_seconds_.observe(seconds(now - since->second));
  starting_.erase(since);
}

void AgentMetrics::on(const pool::Refused& effect, TimePoint) {
  acquires_refused_.add(1, metric_label("code", effect.error.code));
}

void AgentMetrics::acquired(std::string_view outcome, Duration took) {
  acquires_.add(1, metric_label("outcome", outcome));
  acquire_seconds_.observe(seconds(took));
}

void AgentMetrics::called(std::string_view tool, const Result& result, Duration took) {
  constexpr std::array<std::string_view, 6> kTools{"bash", "bash_stateful", "read_file", "write_file", "tmux", "exec"};
  const bool known = std::find(kTools.begin(), kTools.end(), tool) != kTools.end();
  calls_.add(1, two_labels("tool", known ? tool : "other", "cause", cause_of(result)));
  call_seconds_.observe(seconds(took));
}

void AgentMetrics::call_refused(std::string_view code) {
  calls_refused_.add(1, metric_label("code", code));
}

void AgentMetrics::requested(std::string_view route, int status, Duration took) {
  requests_.add(1, two_labels("route", route, "status", std::to_string(status)));
  request_seconds_.observe(seconds(took));
}

void AgentMetrics::denied() {
  denied_.add();
}

void AgentMetrics::moved_bytes(std::string_view direction, std::uint64_t bytes) {
  file_bytes_.add(static_cast<double>(bytes), metric_label("direction", direction));
}

}  // namespace berth::agent
