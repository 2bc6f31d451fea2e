// SPDX-License-Identifier: Apache-2.0
// GET /health, /slots, /tools, /metrics: no slot is waited for.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "slotd/metadata.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

Json names_of(const isolation::MeasureSet& set) {
  Json names = Json::array();
  for (std::size_t i = 0; i < isolation::kMeasureCount; ++i) {
    if (set.test(i)) names.push_back(std::string(to_string(static_cast<isolation::Measure>(i))));
  }
  return names;
}

Json isolation_json(App& app) {
  const auto& plan = app.factory().plan();
  const auto& spec = app.options().spec;
  return Json{{"level", std::string(to_string(spec.isolation))},
              {"rung", plan.rung},
              {"network", std::string(to_string(spec.slot.network))},
              {"in_force", names_of(plan.in_force)},
              {"missing", names_of(plan.wanted & ~plan.in_force)},
              {"notes", plan.notes},
              {"writable_root", plan.writable_root},
              {"cgroup_version", app.factory().abilities().cgroup_version}};
}

std::size_t count_state(App& app, SlotState state) {
  return static_cast<std::size_t>(std::count_if(app.slots().begin(), app.slots().end(),
                                                [state](const auto& slot) { return slot->state() == state; }));
}

// Labels are patterns of the job file and words of this program: no slot chooses them.
void expose_proxy(const proxy::Gate& gate, MetricsRegistry& metrics) {
  metrics.gauge("berth_slotd_proxy_connections", "Connections of slots to their proxies, now.")
      .set(static_cast<double>(gate.open()));
  auto& connections =
      metrics.counter("berth_slotd_proxy_connections_total", "Destinations reached, by allowed pattern.");
  auto& sent = metrics.counter("berth_slotd_proxy_sent_bytes_total", "Bytes from slots, by allowed pattern.");
  auto& received = metrics.counter("berth_slotd_proxy_received_bytes_total", "Bytes to slots, by allowed pattern.");
  for (std::size_t i = 0; i < gate.patterns(); ++i) {
    const auto label = metric_label("pattern", gate.pattern(i));
    connections.raise_to(static_cast<double>(gate.traffic(i).connections), label);
    sent.raise_to(static_cast<double>(gate.traffic(i).sent), label);
    received.raise_to(static_cast<double>(gate.traffic(i).received), label);
  }
  auto& refused = metrics.counter("berth_slotd_proxy_refused_total", "Requests that a proxy refused, by reason.");
  for (const auto& [reason, count] : gate.refused()) {
    refused.raise_to(static_cast<double>(count), metric_label("reason", reason));
  }
}

}  // namespace

asio::awaitable<void> health_route(App& app, http::Exchange& exchange) {
  const auto total = app.slots().size();
  const auto executing = count_state(app, SlotState::executing);
  const auto broken = count_state(app, SlotState::error);
  const auto& plan = app.factory().plan();
  const Json health{{"status", broken == 0 ? "ok" : "degraded"},
                    {"slots", total},
                    {"available", total - executing},
                    {"executing", executing},
                    {"ready", count_state(app, SlotState::available) + executing},
                    {"error", broken},
                    {"data_dir", app.options().data_dir},
                    {"bwrap_available", isolation::has(plan.in_force, isolation::Measure::private_root)},
                    {"stateful_dir", ""},
                    {"boot_id", app.boot_id()},
                    {"version", BERTH_VERSION},
                    {"isolation", isolation_json(app)}};
  co_await send_json(exchange, 200, dump_json(health));
}

asio::awaitable<void> slots_route(App& app, http::Exchange& exchange) {
  std::string body = R"({"slots": [)";
  for (const auto& slot : app.slots()) {
    Metadata entry;
    const auto current = slot->current_execution_id();
    entry.text("slot_id", slot->id())
        .text("state", peer_word(slot->state()))
        .text("workspace_dir", slot->workspace_dir());
    current.empty() ? entry.json("current_execution_id", "null") : entry.text("current_execution_id", current);
    entry.integer("generation", static_cast<std::int64_t>(slot->generation()))
        .integer("queued", static_cast<std::int64_t>(slot->queued()));
    if (slot->trouble()) entry.text("error", slot->trouble()->message);
    if (slot != app.slots().front()) body += ", ";
    body += entry.str();
  }
  co_await send_json(exchange, 200, body + "]}");
}

asio::awaitable<void> tools_route(App& app, http::Exchange& exchange) {
  std::string body = R"({"tools": [)";
  for (const auto& tool : app.tools().all()) {
    if (tool != app.tools().all().front()) body += ", ";
    body += Metadata().text("name", tool->name()).json("parameters", tool->schema()).str();
  }
  co_await send_json(exchange, 200, body + "]}");
}

asio::awaitable<void> metrics_route(App& app, http::Exchange& exchange) {
  auto& slots = app.metrics().gauge("berth_slotd_slots", "Slots by state.");
  for (const auto state :
       {SlotState::starting, SlotState::available, SlotState::executing, SlotState::resetting, SlotState::error}) {
    slots.set(static_cast<double>(count_state(app, state)), R"(state=")" + std::string(to_string(state)) + "\"");
  }
  double queued = 0;
  for (const auto& slot : app.slots()) queued += static_cast<double>(slot->queued());
  app.metrics().gauge("berth_slotd_calls_queued", "Calls that wait for their slot.").set(queued);
  app.metrics()
      .gauge("berth_slotd_ledger_bytes", "Memory held by results that can be read again.")
      .set(static_cast<double>(app.ledger().held_bytes()));
  if (app.gate() != nullptr) expose_proxy(*app.gate(), app.metrics());
  http::Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = app.metrics().expose();
  (void)co_await exchange.respond(std::move(response));
}

}  // namespace berth::slotd
