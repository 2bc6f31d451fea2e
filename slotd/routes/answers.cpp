// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <nlohmann/json.hpp>

#include "slotd/call_request.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {

asio::awaitable<void> send_json(http::Exchange& exchange, int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  if (status == 429) response.fields = {kTryAgain};
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> send_error(http::Exchange& exchange, int status, std::string_view error, std::string_view code) {
  co_await send_json(exchange, status, error_json(error, code));
}

asio::awaitable<std::optional<std::string>> read_json_body(http::Exchange& exchange, std::size_t max_bytes) {
  auto body = co_await exchange.read_body(max_bytes);
  if (body) co_return std::move(*body);
  if (body.error().code == "body_too_large") {
    co_await send_error(exchange, 413, "Request Entity Too Large");
  } else if (body.error().code == "bad_request") {
    co_await send_error(exchange, 400, body.error().message);
  } else if (body.error().code == "too_slow") {
    co_await send_error(exchange, 408, "Request body came too slowly");
  } else if (body.error().code == "busy") {
    co_await send_error(exchange, 429, body.error().message, "busy");
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<Json>> read_json_object(http::Exchange& exchange) {
  const auto body = co_await read_json_body(exchange, kCallBounds.max_bytes);
  if (!body) co_return std::nullopt;
  auto json = parse_json(*body, kCallBounds);
  if (json && json->is_object()) co_return *std::move(json);
  const std::string_view error = json ? "Expected an object" : "Invalid JSON";
  co_await send_error(exchange, 400, error);
  co_return std::nullopt;
}

asio::awaitable<bool> check_boot(App& app, http::Exchange& exchange) {
  const auto boot = exchange.head().field("berth-boot");
  if (boot ? *boot == app.boot_id() : !app.strict_callers()) co_return true;
  std::string error = "wrong_boot: header Berth-Boot is required";
  if (boot) error = "wrong_boot: this server was started anew; its boot id is " + app.boot_id();
  co_await send_error(exchange, 409, error, "wrong_boot");
  co_return false;
}

asio::awaitable<bool> check_generation(App& app, http::Exchange& exchange, const Slot& slot) {
  const auto text = exchange.head().field("berth-generation");
  if (!text && !app.strict_callers()) co_return true;
  std::uint64_t generation = 0;
  const auto* end = text ? text->data() + text->size() : nullptr;
  const auto parsed = text ? std::from_chars(text->data(), end, generation) : std::from_chars_result{};
  if (!text || text->empty() || parsed.ptr != end || parsed.ec != std::errc()) {
    co_await send_error(exchange, 400, "header Berth-Generation must be a whole number", "bad_generation");
    co_return false;
  }
  if (generation >= slot.generation()) co_return true;
  const auto error = "stale_generation: the slot is at generation " + std::to_string(slot.generation());
  co_await send_error(exchange, 409, error, "stale_generation");
  co_return false;
}

}  // namespace berth::slotd
