// SPDX-License-Identifier: Apache-2.0
// /metrics, /healthz, /readyz, /openapi.json
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"
#include "agent/api/openapi.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

struct Reason {
  std::string job;
  std::string message;
  std::string hint;
};

// Containers that are up are of no use while none of their slots can be cleaned.
std::optional<Reason> without_slots(const pool::JobView& job) {
  if (job.broken == 0 || job.available + job.leased + job.releasing > 0) return std::nullopt;
  return Reason{job.job, "none of its " + std::to_string(job.broken) + " slots can be reset",
                "they are tried again; see berth events"};
}

std::optional<Reason> unready(const pool::JobView& job) {
  if (job.removing) return std::nullopt;
  if (job.up >= job.min) return without_slots(job);
  Reason reason;
  reason.job = job.job;
  reason.message = "has " + std::to_string(job.up) + " of " + std::to_string(job.min) + " containers";
  if (job.suspect > 0) reason.message += ", " + std::to_string(job.suspect) + " do not answer";
  reason.hint = job.starting > 0 ? "they are starting: wait" : "see berth events";
  if (!job.last_failure.empty()) reason.message += "; the last start failed: " + job.last_failure;
  return reason;
}

}  // namespace

void Api::Impl::refresh_gauges(MetricsRegistry& registry) const {
  const pool::Pool& pool = parts_.runtime.pool();
  auto& containers = registry.gauge("berth_containers", "Containers, by job and state.");
  auto& slots = registry.gauge("berth_slots", "Slots, by job and state.");
  auto& waiting = registry.gauge("berth_acquires_waiting", "Requests that wait for a slot, by job.");
  containers.clear();
  slots.clear();
  waiting.clear();
  for (const auto& job : pool.jobs()) {
    const auto label = metric_label("job", job.job);
    const auto state = [&](std::string_view name) { return label + "," + metric_label("state", name); };
    containers.set(job.starting, state("starting"));
    containers.set(job.up, state("up"));
    containers.set(job.suspect, state("suspect"));
    containers.set(job.draining, state("draining"));
    containers.set(job.stopping, state("stopping"));
    slots.set(job.available, state("available"));
    slots.set(job.leased, state("leased"));
    slots.set(job.releasing, state("releasing"));
    slots.set(job.broken, state("broken"));
    waiting.set(static_cast<double>(job.waiting), label);
  }
  double queued = 0;
  double transfers = 0;
  for (const auto& [id, facts] : parts_.runtime.health()) {
    const auto link = parts_.runtime.link(id);
    if (!link) continue;
    queued += static_cast<double>(link->unanswered());
    transfers += static_cast<double>(link->transfers_waiting());
  }
  registry.gauge("berth_jobs", "Jobs that are applied.").set(static_cast<double>(parts_.runtime.jobs().size()));
  registry.gauge("berth_link_calls", "Calls given to containers and not answered.").set(queued);
  registry.gauge("berth_transfers_waiting", "Files that wait for their turn to be moved.").set(transfers);
  const LinkCounts& counts = parts_.runtime.link_counts();
  const auto total = [&registry](const char* name, const char* help, std::uint64_t value) {
    registry.counter(name, help).raise_to(static_cast<double>(value));
  };
  total("berth_link_batches_total", "Batches of calls sent to containers.", counts.batches);
  total("berth_link_repeats_total", "Calls asked for again after a connection broke.", counts.repeats);
  total("berth_protocol_errors_total", "Answers of containers that were not the protocol.", counts.protocol_errors);
  registry.gauge("berth_api_calls", "Calls over /v1 under way.").set(static_cast<double>(book_.under_way()));
  registry.gauge("berth_api_call_bytes", "Their texts.").set(static_cast<double>(book_.bytes()));
  registry.gauge("berth_api_kept_bytes", "Results kept for those who ask later.")
      .set(static_cast<double>(book_.kept_bytes()));
  registry.gauge("berth_event_streams", "Open event streams.").set(static_cast<double>(event_streams_));
  registry.gauge("berth_events_newest", "Number of the newest event.").set(static_cast<double>(parts_.events.newest()));
  registry.gauge("berth_draining", "1 while the agent is stopping.").set(draining_ ? 1 : 0);
}

asio::awaitable<void> Api::Impl::get_metrics(Request& request) {
  http::Response answer;
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  answer.body = parts_.metrics.expose();
  (void)co_await request.exchange.respond(std::move(answer));
}

// The process answers: nothing more.
asio::awaitable<void> Api::Impl::get_healthz(Request& request) {
  const Json body{{"status", "ok"}, {"version", options_.version}};
  co_await send_json(request.exchange, 200, dump_json(body));
}

// Ready: what an earlier life left is cleaned up, every job has the containers that it asks for at least and a slot
// that can be had, the tool-executor routes have their job, and nobody stops the agent. Why not is told to those who
// have a token.
asio::awaitable<void> Api::Impl::get_readyz(Request& request) {
  Json reasons = Json::array();
  const auto add = [&reasons](const std::string& job, const std::string& message, const std::string& hint) {
    reasons.push_back(Json{{"job", job}, {"message", message}, {"hint", hint}});
  };
  const auto& jobs = parts_.runtime.jobs();
  if (!parts_.runtime.started()) add("", "the agent is starting", "wait");
  if (draining_) add("", "the agent is stopping", "ask another one");
  if (!options_.default_job.empty() && !jobs.contains(options_.default_job))
    add(options_.default_job, "it is the default_job and has not been applied", "apply it, or take default_job out");
  for (const auto& job : parts_.runtime.pool().jobs()) {
    if (const auto why = unready(job)) add(why->job, why->message, why->hint);
  }
  const bool ready = reasons.empty();
  Json body{{"ready", ready}};
  if (request.known) body["reasons"] = std::move(reasons);
  http::Response answer;
  answer.status = ready ? 200 : 503;
  answer.body = dump_json(body);
  if (!ready) answer.fields.emplace_back("Retry-After", "1");
  (void)co_await request.exchange.respond(std::move(answer));
}

asio::awaitable<void> Api::Impl::get_openapi(Request& request) {
  co_await send_json(request.exchange, 200, std::string(openapi_text()));
}

}  // namespace berth::agent
