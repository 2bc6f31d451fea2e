// SPDX-License-Identifier: Apache-2.0
// GET and DELETE /slots/{slot}/executions/{id}, GET .../output?stream=stdout&offset=N&wait=S
#include <algorithm>
#include <charconv>

#include "slotd/metadata.hpp"
#include "slotd/routes/result_stream.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr double kLongestWait = 60;
constexpr std::size_t kMostOutput = OutputRing::kHeadBytes + OutputRing::kTailBytes;

std::string state_json(const Execution& execution) {
  Metadata state;
  state.json("execution_id", execution.call.id_json)
      .text("execution", execution.call.id)
      .text("slot_id", execution.call.slot);
  state.integer("generation", static_cast<std::int64_t>(execution.generation))
      .text("state", to_string(execution.state));
  state.integer("stdout_bytes", static_cast<std::int64_t>(execution.stdout_ring.total()));
  state.integer("stderr_bytes", static_cast<std::int64_t>(execution.stderr_ring.total()));
  state.json("result", execution.result ? result_json(*execution.result, execution.call.id_json, false) : "null");
  return state.str();
}

template <typename Number>
bool parse_whole(const std::string& text, Number& out) {
  const auto* end = text.data() + text.size();
  return !text.empty() && std::from_chars(text.data(), end, out).ptr == end;
}

struct OutputQuery {
  bool err = false;
  std::uint64_t offset = 0;
  double wait = 0;
};

std::optional<OutputQuery> parse_output_query(const http::RequestHead& head) {
  OutputQuery query;
  const auto stream = head.query_value("stream").value_or("stdout");
  if (stream != "stdout" && stream != "stderr" && stream != "terminal") return std::nullopt;
  query.err = stream == "stderr";
  if (const auto offset = head.query_value("offset"); offset && !parse_whole(*offset, query.offset))
    return std::nullopt;
  if (const auto wait = head.query_value("wait"); wait && !parse_whole(*wait, query.wait)) return std::nullopt;
  if (!(query.wait >= 0)) return std::nullopt;
  query.wait = std::min(query.wait, kLongestWait);
  return query;
}

asio::awaitable<void> send_output(App& app, http::Exchange& exchange, std::shared_ptr<Execution> execution) {
  const auto query = parse_output_query(exchange.head());
  if (!query) {
    co_await send_error(
        exchange, 400, "stream is stdout, stderr or terminal, offset a whole number of bytes, wait a number of seconds",
        "bad_query");
    co_return;
  }
  const auto& ring = query->err ? execution->stderr_ring : execution->stdout_ring;
  auto items = std::make_shared<ItemSet>(app.context().get_executor());
  items->add(Item{execution, false, {}, {}, 200});
  items->watch();
  exchange.on_disconnect([&app, weak = std::weak_ptr(items)] {
    if (const auto set = weak.lock()) set->disconnected(app);
  });
  const auto deadline = Deadline::after(now(), Seconds(query->wait));
  const auto nothing_new = [&] {
    return ring.total() <= query->offset && execution->state != ExecutionState::finished;
  };
  while (nothing_new() && !items->is_disconnected() && !deadline.expired(now())) {
    (void)co_await items->next_news(deadline);
  }
  // This reader may come back for more; a call that nobody else waits for lives on for that long.
  items->disconnected(app);
  auto part = ring.read(query->offset, kMostOutput);
  const auto next = part.offset + part.data.size();
  const bool end = execution->state == ExecutionState::finished && next >= ring.total();
  http::Response response;
  response.content_type = http::kBytesType;
  response.body = std::move(part.data);
  response.fields = {{"Berth-Offset", std::to_string(part.offset)},
                     {"Berth-Next", std::to_string(next)},
                     {"Berth-End", end ? "true" : "false"}};
  (void)co_await exchange.respond(std::move(response));
}

}  // namespace

asio::awaitable<void> execution_route(App& app, http::Exchange& exchange, Slot& slot, std::string id, bool output) {
  const auto found = app.ledger().find_any(slot.id(), id);
  if (found.match == Ledger::Match::gone) {
    co_await send_error(exchange, 410, "result_gone: the call ran, its result is not kept any more", "result_gone");
    co_return;
  }
  if (!found.execution) {
    const std::string error = "Unknown execution: " + id;
    co_await send_error(exchange, 404, error, "unknown_execution");
    co_return;
  }
  const auto execution = found.execution;
  if (output) {
    co_await send_output(app, exchange, execution);
    co_return;
  }
  if (exchange.head().method == "DELETE") slot.cancel(*execution);
  http::Response response;
  response.body = state_json(*execution);
  const auto sent = co_await exchange.respond(std::move(response));
  if (sent && execution->result && exchange.head().method == "GET") app.ledger().delivered(execution);
}

}  // namespace berth::slotd
