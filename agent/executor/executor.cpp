// SPDX-License-Identifier: Apache-2.0
// Routing, authorization and the open routes.
#include "agent/executor/executor.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "agent/api/answers.hpp"
#include "agent/api/watched_exchange.hpp"
#include "agent/executor/impl.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostBody = std::size_t{2} << 20;
constexpr std::string_view kArtifacts = "/artifacts/";

// Empty: the caller may go on, or has sent a token that nobody knows.
std::string_view fault_of_header(const http::RequestHead& head) {
  constexpr std::string_view kScheme = "bearer";
  const auto field = head.field("authorization");
  if (!field) return "Missing Authorization header";
  std::string scheme(field->substr(0, field->find(' ')));
  for (char& letter : scheme)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + 32);
  return scheme == kScheme && scheme.size() < field->size() ? "" : "Invalid Authorization header";
}

}  // namespace

Executor::Impl::Impl(ExecutorParts parts, ExecutorOptions options)
    : parts_(parts),
      options_(std::move(options)),
      trajectories_(parts.context, [this](const std::string& lease) { return is_live(lease); }),
      keyed_(parts.context) {}

Executor::Executor(ExecutorParts parts, ExecutorOptions options)
    : impl_(std::make_shared<Impl>(parts, std::move(options))) {
  parts.metrics.on_scrape([weak = std::weak_ptr(impl_)](MetricsRegistry& registry) {
    if (const auto impl = weak.lock()) impl->refresh_gauges(registry);
  });
}

Executor::~Executor() = default;

std::size_t Executor::outside_calls() const {
  return impl_->outside_calls();
}

void Executor::end_outside_calls() {
  impl_->end_outside_calls();
}

bool Executor::serves(std::string_view path) {
  return path.starts_with(kArtifacts) || Impl::find_route(path) != nullptr;
}

asio::awaitable<void> Executor::handle(http::Exchange& exchange) {
  const auto impl = impl_;
  co_await impl->handle(exchange);
}

const Executor::Impl::Route* Executor::Impl::find_route(std::string_view path) {
  static constexpr std::array kRoutes{
      Route{"GET", "/", false, &Impl::get_root},
      Route{"GET", "/health", false, &Impl::get_health},
      Route{"GET", "/status", false, &Impl::get_status},
      Route{"POST", "/execute", true, &Impl::post_execute},
      Route{"POST", "/release", true, &Impl::post_release},
      Route{"POST", "/artifacts/read", true, &Impl::post_read},
      Route{"POST", "/artifacts/list", true, &Impl::post_list},
      Route{"POST", "/artifacts/archive", true, &Impl::post_archive},
  };
  for (const Route& route : kRoutes)
    if (route.path == path) return &route;
  return nullptr;
}

asio::awaitable<void> Executor::Impl::handle(http::Exchange& exchange) {
  const auto begin = now();
  WatchedExchange watched(exchange);
  const Route* route = find_route(exchange.head().path);
  co_await answer(watched);
  const auto took = now() - begin;
  parts_.metrics.requested(route == nullptr ? "other" : route->path, watched.status(), took);
}

asio::awaitable<void> Executor::Impl::answer(http::Exchange& exchange) {
  const auto& head = exchange.head();
  const Route* route = find_route(head.path);
  if (route == nullptr) co_return co_await send_detail(exchange, 404, "Not Found");
  const std::string_view method = head.method == "HEAD" ? "GET" : std::string_view(head.method);
  if (route->method != method) co_return co_await send_detail(exchange, 405, "Method Not Allowed");
  auto caller = parts_.tokens.caller(head);
  if (route->guarded && (!caller || !caller->may(Right::use))) {
    parts_.metrics.denied();
    const auto fault = fault_of_header(head);
    if (!fault.empty()) co_return co_await send_detail(exchange, 401, fault);
    co_return co_await send_detail(exchange, 403, "Invalid token");
  }
  const Caller known = caller.value_or(Caller{{}, Right::read, {}, {}});
  co_await (this->*route->function)(exchange, known);
}

asio::awaitable<void> Executor::Impl::send_detail(http::Exchange& exchange, int status, std::string_view detail) {
  http::Response response;
  response.status = status;
  response.body = dump_json(Json{{"detail", std::string(detail)}});
  if (status == 401) response.fields.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 429) response.fields.emplace_back("Retry-After", "1");
  if (status == 405) {
    const Route* route = find_route(exchange.head().path);
    response.fields.emplace_back("Allow", std::string(route->method));
  }
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<std::optional<std::string>> Executor::Impl::read_body(http::Exchange& exchange) {
  auto body = co_await exchange.read_body(kMostBody);
  if (body) co_return *std::move(body);
  const int status = http::gate_status(body.error());
  const std::string why = body.error().message;
  co_await send_detail(exchange, status, why);
  co_return std::nullopt;
}

bool Executor::Impl::is_live(const std::string& lease) const {
  return !lease.empty() && parts_.runtime.live_lease(lease).has_value();
}

const jobs::Job* Executor::Impl::default_job() const {
  const auto& jobs = parts_.runtime.jobs();
  const auto found = jobs.find(options_.default_job);
  return found == jobs.end() ? nullptr : &found->second;
}

// --- the open routes ------------------------------------------------------------------------------------------------

asio::awaitable<void> Executor::Impl::get_root(http::Exchange& exchange, const Caller&) {
  co_await send_json(exchange, 200, R"({"message": "Atropos-Agent Tool Executor"})");
}

asio::awaitable<void> Executor::Impl::get_health(http::Exchange& exchange, const Caller&) {
  co_await send_json(exchange, 200, R"({"status": "ok"})");
}

// Numbers alone: it is open to everybody.
asio::awaitable<void> Executor::Impl::get_status(http::Exchange& exchange, const Caller&) {
  std::map<std::string, std::size_t> states;
  std::set<std::string> containers;
  std::size_t total = 0;
  for (const pool::SlotView& slot : parts_.runtime.pool().slots(options_.default_job)) {
    ++total;
    ++states[std::string(pool::to_peer_string(slot.state))];
    containers.insert(slot.container);
  }
  const auto in = [&](const char* state) { return states.contains(state) ? states[state] : 0; };
  const Json pool{{"total_slots", total},
                  {"available_slots", in("available")},
                  {"acquired_slots", in("acquired") + in("executing")},
                  {"containers", containers.size()},
                  {"started", default_job() != nullptr},
                  {"slots_by_state", states}};
  std::string body = dump_json(Json{
      {"queue_size", book_.under_way()}, {"total_requests", requests_}, {"total_errors", errors_}, {"pool", pool}});
  co_await send_json(exchange, 200, std::move(body));
}

void Executor::Impl::refresh_gauges(MetricsRegistry& registry) const {
  const auto set = [&registry](const char* name, const char* help, std::size_t value) {
    registry.gauge(name, help).set(static_cast<double>(value));
  };
  set("berth_executor_calls", "Calls over the tool-executor routes under way, waiting for a slot or running.",
      book_.under_way());
  set("berth_executor_call_bytes", "Their texts.", book_.bytes());
  set("berth_executor_trajectories", "Trajectories that hold a slot or have a call under way.", trajectories_.size());
  set("berth_executor_keyed_calls", "Calls of external tools that are known by their key.", keyed_.size());
  set("berth_executor_keyed_bytes", "Their results that are kept.", keyed_.bytes());
}

}  // namespace berth::agent
