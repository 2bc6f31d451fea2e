// SPDX-License-Identifier: Apache-2.0
// POST /execute and POST /batch.
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "slotd/call_request.hpp"
#include "slotd/routes/result_stream.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr auto kLongestDetach = std::chrono::hours(24);
// Reading a batch goes on in parts of this size, so that other connections are served between them.
constexpr std::size_t kReadAtOnce = std::size_t{256} << 10;
// An array longer than this is told in parts: a reader that takes its time holds no more than one.
constexpr std::size_t kAnswerPart = std::size_t{256} << 10;

Duration abandon_grace(const http::RequestHead& head) {
  const auto field = head.field("berth-detach");
  if (!field) return kAbandonAfter;
  double seconds = 0;
  const auto* end = field->data() + field->size();
  if (std::from_chars(field->data(), end, seconds).ptr != end || !(seconds >= 0)) return kAbandonAfter;
  const auto most = std::chrono::duration<double>(kLongestDetach).count();
  return std::chrono::duration_cast<Duration>(Seconds(std::min(seconds, most)));
}

Item to_item(App& app, tl::expected<CallRequest, Refusal> request, const App::CallContext& context) {
  Item item;
  auto refused = [&](Refusal refusal) {
    app.count_refused(refusal);
    item.id_json = refusal.id_json;
    item.status = refusal.status;
    item.refusal = finished_refusal(refusal);
    return std::move(item);
  };
  if (!request) return refused(std::move(request.error()));
  auto submitted = app.submit(std::move(*request), context);
  if (!submitted) return refused(std::move(submitted.error()));
  item.execution = std::move(submitted->execution);
  item.replayed = submitted->replayed;
  return item;
}

void watch_connection(App& app, http::Exchange& exchange, const std::shared_ptr<ItemSet>& items) {
  items->set_grace(abandon_grace(exchange.head()));
  exchange.on_disconnect([&app, weak = std::weak_ptr(items)] {
    if (const auto set = weak.lock()) set->disconnected(app);
  });
}

asio::awaitable<void> answer_single(App& app, http::Exchange& exchange, std::shared_ptr<ItemSet> items) {
  co_await items->all_answered();
  if (items->is_disconnected()) co_return;
  const auto& item = items->items().front();
  http::Response response;
  response.status = item.execution ? 200 : item.status;
  response.body = item.json();
  if (response.status == 429) response.fields = {kTryAgain};
  const auto sent = co_await exchange.respond(std::move(response));
  if (sent) items->delivered(app.ledger());
}

asio::awaitable<void> answer_array(App& app, http::Exchange& exchange, std::shared_ptr<ItemSet> items) {
  co_await items->all_answered();
  if (items->is_disconnected()) co_return;
  http::Response response;
  std::size_t told = 0;
  std::string part = array_part(items->items(), told, kAnswerPart);
  if (told == items->items().size()) {
    response.body = std::move(part);
    const auto sent = co_await exchange.respond(std::move(response));
    if (sent) items->delivered(app.ledger());
    co_return;
  }
  auto sent = co_await exchange.begin_stream(std::move(response));
  while (sent && !part.empty()) {
    sent = co_await exchange.write(part);
    part = array_part(items->items(), told, kAnswerPart);
  }
  if (sent) sent = co_await exchange.end_stream();
  sent ? items->delivered(app.ledger()) : items->disconnected(app);
}

tl::expected<CallRequest, Refusal> parse_element(App& app, std::string_view text) {
  if (text.size() <= kCallBounds.max_bytes) return parse_call_request(text, app.options().spec.max_timeout_seconds);
  Refusal refusal;
  refusal.status = 413;
  refusal.error = "the call is larger than 2 MiB";
  refusal.code = "too_large";
  return tl::unexpected<Refusal>(std::move(refusal));
}

asio::awaitable<std::shared_ptr<ItemSet>> submit_all(App& app, const std::vector<std::string_view>& elements,
                                                     bool from_agent) {
  auto items = std::make_shared<ItemSet>(app.context().get_executor());
  std::size_t read = 0;
  std::map<std::string, Duration> ahead;  // of later calls of the same slot
  for (const auto element : elements) {
    read += element.size();
    if (read > kReadAtOnce) co_await asio::post(app.context(), asio::use_awaitable);
    if (read > kReadAtOnce) read = 0;
    auto request = parse_element(app, element);
    App::CallContext context{from_agent, {}};
    if (request) {
      auto& before = ahead[request->slot];
      context.queue_allowance = before;
      before += std::chrono::duration_cast<Duration>(request->timeout);
    }
    items->add(to_item(app, std::move(request), context));
  }
  items->watch();
  co_return items;
}

}  // namespace

asio::awaitable<void> execute_route(App& app, http::Exchange& exchange) {
  if (!co_await check_boot(app, exchange)) co_return;
  auto body = co_await read_json_body(exchange, kCallBounds.max_bytes);
  if (!body) co_return;
  auto request = parse_element(app, *body);
  if (!request && !request.error().five_keys) {
    co_await send_error(exchange, request.error().status, request.error().error);
    co_return;
  }
  auto items = std::make_shared<ItemSet>(app.context().get_executor());
  items->add(to_item(app, std::move(request), {exchange.head().field("berth-boot").has_value(), {}}));
  body.reset();
  exchange.body_used();
  items->watch();
  watch_connection(app, exchange, items);
  if (exchange.head().query_value("stream") == "1" && items->items().front().execution) {
    co_await stream_items(app, exchange, std::move(items), true, true);
  } else {
    co_await answer_single(app, exchange, std::move(items));
  }
}

asio::awaitable<void> batch_route(App& app, http::Exchange& exchange) {
  if (!co_await check_boot(app, exchange)) co_return;
  auto body = co_await read_json_body(exchange, kMaxBatchBytes);
  if (!body) co_return;
  const auto elements = split_json_array(*body, kMaxBatchElements);
  if (!elements) {
    const auto& code = elements.error().code;
    if (code == "json_too_large") {
      co_await send_error(exchange, 413, "a batch has at most 1000 elements", "too_large");
    } else if (code == "json_not_array" && parse_json(*body, kCallBounds)) {
      co_await send_error(exchange, 400, "Expected array of requests");
    } else {
      co_await send_error(exchange, 400, "Invalid JSON");
    }
    co_return;
  }
  const bool from_agent = exchange.head().field("berth-boot").has_value();
  auto items = co_await submit_all(app, *elements, from_agent);
  body.reset();  // calls may run for long
  exchange.body_used();
  watch_connection(app, exchange, items);
  if (exchange.head().query_value("stream") == "1") {
    const bool with_output = exchange.head().query_value("output") == "1";
    co_await stream_items(app, exchange, std::move(items), with_output, with_output);
  } else {
    co_await answer_array(app, exchange, std::move(items));
  }
}

}  // namespace berth::slotd
