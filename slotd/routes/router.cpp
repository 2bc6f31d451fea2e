// SPDX-License-Identifier: Apache-2.0
// Which route a request takes, decided by method and path alone.
#include <array>

#include "base/text.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

using RouteFunction = asio::awaitable<void> (*)(App&, http::Exchange&);

struct Route {
  std::string_view path;
  bool post;  // otherwise GET and HEAD
  RouteFunction function;
};

constexpr std::array kRoutes{
    Route{"/execute", true, execute_route},  Route{"/batch", true, batch_route},  Route{"/reset", true, reset_route},
    Route{"/health", false, health_route},   Route{"/slots", false, slots_route}, Route{"/tools", false, tools_route},
    Route{"/metrics", false, metrics_route}, Route{"/artifacts/read", true, artifact_read_route},
    Route{"/artifacts/list", true, artifact_list_route}, Route{"/artifacts/archive", true, artifact_archive_route},
};

asio::awaitable<void> plain(http::Exchange& exchange, int status, std::string text) {
  http::Response response;
  response.status = status;
  response.content_type = http::kTextType;
  response.body = std::move(text);
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> not_found(http::Exchange& exchange) {
  co_await plain(exchange, 404, "404: Not Found");
}
asio::awaitable<void> wrong_method(http::Exchange& exchange) {
  co_await plain(exchange, 405, "405: Method Not Allowed");
}

bool reads(const http::RequestHead& head) {
  return head.method == "GET" || head.method == "HEAD";
}

// /slots/{slot}/executions/{id}[/output]
asio::awaitable<void> to_execution(App& app, http::Exchange& exchange, Slot& slot, std::string_view rest) {
  constexpr std::string_view kOutput = "/output";
  const bool output = rest.size() > kOutput.size() && rest.substr(rest.size() - kOutput.size()) == kOutput;
  if (output) rest.remove_suffix(kOutput.size());
  auto id = percent_decode(rest);
  if (!id || !is_execution_id(*id)) {
    co_await not_found(exchange);
    co_return;
  }
  const auto& method = exchange.head().method;
  if (!reads(exchange.head()) && (output || method != "DELETE")) {
    co_await wrong_method(exchange);
    co_return;
  }
  co_await execution_route(app, exchange, slot, std::move(*id), output);
}

asio::awaitable<void> to_files(App& app, http::Exchange& exchange, Slot& slot, std::string_view rest) {
  auto path = percent_decode(rest);
  if (!path) {
    co_await send_error(exchange, 400, "the path is badly encoded", "bad_path");
    co_return;
  }
  const auto& method = exchange.head().method;
  if (!reads(exchange.head()) && method != "PUT" && method != "DELETE") {
    co_await wrong_method(exchange);
    co_return;
  }
  co_await files_route(app, exchange, slot, std::move(*path));
}

// /slots/{slot}/{executions|files}/...
asio::awaitable<void> to_slot(App& app, http::Exchange& exchange, std::string_view rest) {
  const auto slash = rest.find('/');
  const auto name = percent_decode(rest.substr(0, slash));
  const auto tail = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  const auto second = tail.find('/');
  const auto what = tail.substr(0, second);
  const auto target = second == std::string_view::npos ? std::string_view() : tail.substr(second + 1);
  if (what != "executions" && what != "files") {
    co_await not_found(exchange);
    co_return;
  }
  auto* slot = name ? app.find_slot(*name) : nullptr;
  if (slot == nullptr) {
    const std::string error = "Unknown slot: " + name.value_or("");
    co_await send_error(exchange, 404, error, "unknown_slot");
    co_return;
  }
  if (!co_await check_boot(app, exchange)) co_return;
  if (!co_await check_generation(app, exchange, *slot)) co_return;
  if (what == "files") {
    co_await to_files(app, exchange, *slot, target);
  } else {
    co_await to_execution(app, exchange, *slot, target);
  }
}

}  // namespace

asio::awaitable<void> App::handle(http::Exchange& exchange) {
  const auto& head = exchange.head();
  if (head.path != "/health" && !authorised(head)) {
    denied_requests_.add();
    const int status = head.field("authorization") ? 403 : 401;
    co_await send_error(exchange, status, "a token is required: header Authorization: Bearer TOKEN", "unauthorized");
    co_return;
  }
  for (const auto& route : kRoutes) {
    if (head.path != route.path) continue;
    if (route.post ? head.method != "POST" : !reads(head)) {
      co_await wrong_method(exchange);
    } else {
      co_await route.function(*this, exchange);
    }
    co_return;
  }
  constexpr std::string_view kSlots = "/slots/";
  if (std::string_view(head.path).substr(0, kSlots.size()) == kSlots) {
    const std::string rest = head.path.substr(kSlots.size());
    co_await to_slot(*this, exchange, rest);
    co_return;
  }
  co_await not_found(exchange);
}

}  // namespace berth::slotd
