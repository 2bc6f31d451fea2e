// SPDX-License-Identifier: Apache-2.0
#include "agent/api/api.hpp"

#include <algorithm>
#include <array>

#include "agent/api/impl.hpp"
#include "agent/api/watched_exchange.hpp"

namespace berth::agent {

namespace asio = boost::asio;

Api::Impl::Impl(ApiParts parts, ApiOptions options) : parts_(parts), options_(std::move(options)) {}

Api::Api(ApiParts parts, ApiOptions options) : impl_(std::make_shared<Impl>(parts, std::move(options))) {
  parts.metrics.on_scrape([weak = std::weak_ptr(impl_)](MetricsRegistry& registry) {
    if (const auto impl = weak.lock()) impl->refresh_gauges(registry);
  });
}

Api::~Api() = default;

bool Api::serves(std::string_view path) {
  constexpr std::array<std::string_view, 4> kPaths{"/openapi.json", "/metrics", "/healthz", "/readyz"};
  return path.substr(0, 4) == "/v1/" || std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

std::vector<std::pair<std::string, std::string>> Api::routes() {
  std::vector<std::pair<std::string, std::string>> routes;
  for (const Route& route : Impl::routes()) routes.emplace_back(route.method, route.pattern);
  return routes;
}

asio::awaitable<void> Api::handle(http::Exchange& exchange) {
  const auto impl = impl_;
  co_await impl->handle(exchange);
}

void Api::drain() {
  impl_->drain();
}

void Api::Impl::drain() {
  draining_ = true;
  parts_.runtime.close_doors();
  parts_.events.wake();
}

asio::awaitable<void> Api::Impl::handle(http::Exchange& exchange) {
  const auto begin = now();
  WatchedExchange watched(exchange);
  std::string_view route = "other";
  co_await answer(watched, route);
  parts_.metrics.requested(route, watched.status(), now() - begin);
}

// One answer for every reason, so that it tells nothing of the tokens there are.
asio::awaitable<void> Api::Impl::deny(http::Exchange& exchange) {
  parts_.metrics.denied();
  const int status = exchange.head().field("authorization") ? 403 : 401;
  Error error{"unauthorized", "a token with the right to do this is required",
              "send Authorization: Bearer TOKEN; the agent's tokens file names who may admin, use or read"};
  co_await send_error_as(exchange, status, std::move(error));
}

// No route took it: 405 with the methods that its path takes, or 404.
asio::awaitable<void> Api::Impl::answer_nothing(http::Exchange& exchange, std::string_view allowed) {
  const auto& head = exchange.head();
  Error error{"not_found", "there is no " + head.path, "/openapi.json lists what there is"};
  if (allowed.empty()) co_return co_await send_error(exchange, std::move(error));
  error = {"method_not_allowed", head.path + " does not take " + head.method, error.hint};
  http::Response response;
  response.status = 405;
  response.body = error_body(error);
  response.fields.emplace_back("Allow", std::string(allowed));
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> Api::Impl::answer(http::Exchange& exchange, std::string_view& route) {
  const auto& head = exchange.head();
  const std::string method = head.method == "HEAD" ? "GET" : head.method;
  const auto caller = parts_.tokens.caller(head);
  std::string allowed;
  for (const Route& each : routes()) {
    auto params = match_path(each.pattern, head.path);
    if (!params) continue;
    allowed += (allowed.empty() ? "" : ", ") + std::string(each.method);
    if (each.method != method) continue;
    route = each.pattern;
    if (each.right && (!caller || !caller->may(*each.right))) co_return co_await deny(exchange);
    auto wrong = wrong_flag(each, head);
    if (wrong) co_return co_await send_error(exchange, *std::move(wrong));
    const Caller nobody{{}, Right::read, {}, {}};
    Request request{exchange, caller.value_or(nobody), caller.has_value(), *std::move(params)};
    co_return co_await (this->*each.function)(request);
  }
  if (!caller) co_return co_await deny(exchange);
  co_await answer_nothing(exchange, allowed);
}

}  // namespace berth::agent
