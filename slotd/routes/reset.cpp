// SPDX-License-Identifier: Apache-2.0
// POST /reset
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "slotd/execution.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

Finished reset_result(const std::string& slot, const Expected<void>& done) {
  if (done) return Finished{true, "Reset workspace for " + slot, "", "{}"};
  return Finished{false, "", "Failed to reset workspace: " + done.error().message, "{}"};
}

}  // namespace

asio::awaitable<void> reset_route(App& app, http::Exchange& exchange) {
  if (!co_await check_boot(app, exchange)) co_return;
  const auto request = co_await read_json_object(exchange);
  if (!request) co_return;
  const auto slot_id = request->find("slot_id");
  const auto name = slot_id != request->end() && slot_id->is_string() ? slot_id->get<std::string>() : std::string();
  auto* slot = app.find_slot(name);
  if (slot == nullptr) {
    // Named, as every aggregate here: g++ 12 destroys aggregate temporaries inside a co_await expression twice.
    const Finished unknown{false, "", "Unknown slot: " + name, "{}"};
    auto answer = result_json(unknown, "null", false);
    co_await send_json(exchange, 200, std::move(answer));
    co_return;
  }
  std::optional<std::uint64_t> generation;
  const auto given = request->find("generation");
  const bool has_generation = given != request->end() && !given->is_null();
  if (has_generation) generation = json_uint(*given);
  if ((has_generation || app.strict_callers()) && !generation) {
    co_await send_error(exchange, 400, "generation must be a whole number", "bad_generation");
    co_return;
  }
  const auto done = co_await slot->reset(generation);
  if (!done && done.error().code == "stale_generation") {
    co_await send_error(exchange, 409, done.error().message, "stale_generation");
    co_return;
  }
  auto answer = result_json(reset_result(name, done), "null", false);
  co_await send_json(exchange, 200, std::move(answer));
}

}  // namespace berth::slotd
