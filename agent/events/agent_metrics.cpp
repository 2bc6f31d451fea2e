// SPDX-License-Identifier: Apache-2.0
#include "agent/events/agent_metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace berth::agent {
namespace {

const std::vector<double> kShort{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30};
const std::vector<double> kLong{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600};

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// Results carry metadata as slotd wrote it: what follows a key of it, which no parser is needed for.
std::string_view after_key(std::string_view metadata, std::string_view key) {
  const auto at = metadata.find(key);
  if (at == std::string_view::npos) return {};
  metadata.remove_prefix(at + key.size());
  return metadata.substr(std::min(metadata.find_first_not_of(" :"), metadata.size()));
}

// The command's own time; nothing for what ran none.
std::optional<double> wall_seconds(const Result& result) {
  const std::string_view text = after_key(result.metadata, "\"wall_ms\"");
  double milliseconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  return read.ec == std::errc() ? std::optional(milliseconds / 1000) : std::nullopt;
}

std::string slot_key(const std::string& container, unsigned slot) {
  return container + ":" + std::to_string(slot);
}

std::string two_labels(std::string_view first, std::string_view first_value, std::string_view second,
                       std::string_view second_value) {
  return metric_label(first, first_value) + "," + metric_label(second, second_value);
}

}  // namespace

std::string_view cause_word(const Result& result) {
  std::string_view text = after_key(result.metadata, "\"cause\"");
  if (!text.starts_with('"')) return "unknown";
  text.remove_prefix(1);
  const auto cause = cause_from_string(text.substr(0, text.find('"')));
  return cause ? to_string(*cause) : "unknown";
}

AgentMetrics::AgentMetrics()
    : leases_ended_(registry_.counter("berth_leases_ended_total", "Leases that ended, by reason.")),
      slot_changes_(registry_.counter("berth_slot_changes_total", "Changes of slots, by job and new state.")),
      container_changes_(
          registry_.counter("berth_container_changes_total", "Changes of containers, by job and new state.")),
      acquires_(registry_.counter("berth_acquires_total", "Requests for a slot that were answered, by outcome.")),
      acquires_refused_(registry_.counter("berth_acquires_refused_total", "Requests for a slot refused, by code.")),
      calls_(registry_.counter("berth_calls_total", "Calls that were answered, by tool and cause.")),
      calls_refused_(registry_.counter("berth_calls_refused_total", "Calls that were not accepted, by code.")),
      external_calls_(registry_.counter("berth_external_calls_total", "Calls of the tool server, by outcome.")),
      requests_(registry_.counter("berth_http_requests_total", "HTTP requests, by route and status.")),
      denied_(registry_.counter("berth_http_denied_total", "Requests without the right token.")),
      file_bytes_(registry_.counter("berth_file_bytes_total", "Bytes of files moved into and out of slots.")),
      acquire_seconds_(registry_.histogram("berth_acquire_seconds", "From asking for a slot to the answer.", kLong)),
      call_seconds_(registry_.histogram("berth_call_seconds", "From a call's arrival to its answer.", kLong)),
      call_wait_seconds_(registry_.histogram(
          "berth_call_wait_seconds", "What of that was not the command's own time: queues and the way.", kLong)),
      external_call_seconds_(
          registry_.histogram("berth_external_call_seconds", "From asking the tool server to its answer.", kLong)),
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

void AgentMetrics::called(std::string_view tool, const Result& result, std::string_view cause, Duration took) {
  constexpr std::array<std::string_view, 6> kTools{"bash", "bash_stateful", "read_file", "write_file", "tmux", "exec"};
  const bool known = std::find(kTools.begin(), kTools.end(), tool) != kTools.end();
  calls_.add(1, two_labels("tool", known ? tool : "other", "cause", cause));
  call_seconds_.observe(seconds(took));
  if (const auto wall = wall_seconds(result)) call_wait_seconds_.observe(std::max(0.0, seconds(took) - *wall));
}

void AgentMetrics::called_outside(std::string_view outcome, Duration took) {
  external_calls_.add(1, metric_label("outcome", outcome));
  external_call_seconds_.observe(seconds(took));
}

void AgentMetrics::call_refused(std::string_view code) {
  calls_refused_.add(1, metric_label("code", code));
}

void AgentMetrics::requested(std::string_view route, int status, Duration took) {
  requests_.add(1, two_labels("route", route, "status", std::to_string(status)));
  request_seconds_.observe(seconds(took));
}

std::string AgentMetrics::expose() {
  for (const auto& refresh : refreshers_) refresh(registry_);
  return registry_.expose();
}

void AgentMetrics::denied() {
  denied_.add();
}

void AgentMetrics::moved_bytes(std::string_view direction, std::uint64_t bytes) {
  file_bytes_.add(static_cast<double>(bytes), metric_label("direction", direction));
}

}  // namespace berth::agent
