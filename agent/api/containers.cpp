// SPDX-License-Identifier: Apache-2.0
// /v1/containers and /v1/slots
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kUsageLimit{5};  // of all containers together
constexpr std::chrono::seconds kLogLimit{20};

std::string list_of(const char* key, Json all) {
  return dump_json(Json{{key, std::move(all)}});
}

Json to_json(const pool::ContainerView& view, const Runtime& runtime) {
  const auto job = runtime.jobs().find(view.job);
  Json text{{"container", view.container},
            {"job", view.job},
            {"driver", job == runtime.jobs().end() ? "" : jobs::to_string(job->second.driver)},
            {"state", pool::to_string(view.state)},
            {"draining", view.draining},
            {"boot_id", view.boot},
            {"slots", view.slots},
            {"available", view.available},
            {"leased", view.leased},
            {"cause", view.cause}};
  const auto link = runtime.link(view.container);
  text["calls"] = link ? link->unanswered() : 0;
  const auto health = runtime.health().find(view.container);
  if (health == runtime.health().end()) return text;
  text["version"] = health->second.version;
  text["isolation"] =
      Json{{"level", health->second.isolation}, {"missing", health->second.missing}, {"notes", health->second.notes}};
  return text;
}

// The fields of existing pools' slots (slot_id .. metadata) and what Berth knows beyond them.
Json to_json(const pool::SlotView& view, const Runtime& runtime, const Caller& caller) {
  const auto link = runtime.link(view.container);
  Json text{{"slot_id", pool::slot_name(view.slot)},
            {"alloc_id", view.container},
            {"container_addr", link ? link->address() : ""},
            {"workspace_dir", "/workspace"},
            {"state", pool::to_string(view.state)},
            {"trajectory_id", nullptr},
            {"metadata", Json::object()},
            {"job", view.job},
            {"generation", view.generation},
            {"cause", view.cause},
            {"lease", nullptr}};
  const pool::Lease* lease = runtime.pool().find_lease(view.lease);
  if (lease == nullptr || !caller.sees(lease->owner)) return text;
  text["trajectory_id"] = view.trajectory;
  text["lease"] = view.lease;
  return text;
}

Json to_json(const drivers::Usage& usage) {
  Json text{{"cpu_seconds", nullptr}, {"memory_bytes", nullptr}, {"pids", nullptr}};
  if (usage.cpu_seconds) text["cpu_seconds"] = *usage.cpu_seconds;
  if (usage.memory_bytes) text["memory_bytes"] = *usage.memory_bytes;
  if (usage.pids) text["pids"] = *usage.pids;
  return text;
}

asio::awaitable<void> add_usage(Runtime& runtime, Json& containers) {
  const Deadline deadline(now() + kUsageLimit);
  for (Json& each : containers) {
    std::string id = each["container"].get<std::string>();
    const auto usage = co_await runtime.container_usage(std::move(id), deadline);
    each["usage"] = usage ? to_json(*usage) : Json();
  }
}

}  // namespace

asio::awaitable<void> Api::Impl::list_containers(Request& request) {
  const auto job = request.exchange.head().query_value("job").value_or("");
  Json all = Json::array();
  for (const auto& view : parts_.runtime.pool().containers(job)) all.push_back(to_json(view, parts_.runtime));
  if (request.asks("usage", "1")) co_await add_usage(parts_.runtime, all);
  co_await send_json(request.exchange, 200, list_of("containers", std::move(all)));
}

asio::awaitable<void> Api::Impl::get_container_log(Request& request) {
  std::string after = request.exchange.head().query_value("after").value_or("");
  const Deadline deadline(now() + kLogLimit);
  auto part = co_await parts_.runtime.container_log(request.params[0], std::move(after), deadline);
  if (!part) co_return co_await send_error(request.exchange, part.error());
  http::Response answer;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = to_valid_utf8(part->text);
  answer.fields.emplace_back("Berth-Next", part->next);
  (void)co_await request.exchange.respond(std::move(answer));
}

asio::awaitable<void> Api::Impl::list_slots(Request& request) {
  const auto job = request.exchange.head().query_value("job").value_or("");
  Json all = Json::array();
  for (const auto& view : parts_.runtime.pool().slots(job))
    all.push_back(to_json(view, parts_.runtime, request.caller));
  co_await send_json(request.exchange, 200, list_of("slots", std::move(all)));
}

}  // namespace berth::agent
