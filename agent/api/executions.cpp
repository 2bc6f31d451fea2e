// SPDX-License-Identifier: Apache-2.0
// Executions by id: state, end, output. The slot server is asked; the agent knows of those that have not got there yet
// and of those that ended without it.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"
#include "base/call_wire.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kAskLimit{10};
constexpr double kLongestWait = 10;  // readers of output share connections with calls
constexpr std::chrono::milliseconds kAskAgain{50};
constexpr JsonBounds kStateBounds{std::size_t{2} << 20, 32, 100'000};

std::string state_json(const std::string& lease, const std::string& id, std::string_view state,
                       std::string_view result) {
  std::string text = dump_json(Json{{"execution_id", id}, {"lease", lease}, {"state", state}});
  text.pop_back();
  return text.append(",\"result\":").append(result).append("}");
}

// The server's answer in this API's words.
Expected<std::string> state_of(const std::string& lease, const std::string& id, const std::string& body) {
  const auto parsed = parse_json(body, kStateBounds);
  if (!parsed || !parsed->is_object())
    return tl::unexpected(not_the_protocol("the state of an execution", body).value());
  const auto state = json_text_at(*parsed, "state");
  const auto result = parsed->find("result");
  if (!state || result == parsed->end())
    return tl::unexpected(not_the_protocol("an execution lacks state or result", body).value());
  return state_json(lease, id, *state, dump_json(*result));
}

Error unknown_execution(const std::string& id) {
  return {"unknown_execution", "there is no execution " + id, "results are kept for 10 minutes"};
}

std::optional<double> wait_of(const http::RequestHead& head) {
  const auto text = head.query_value("wait").value_or("0");
  double wait = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), wait);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !(wait >= 0)) return std::nullopt;
  return std::min(wait, kLongestWait);
}

}  // namespace

asio::awaitable<void> Api::Impl::send_execution(http::Exchange& exchange, const std::string& lease,
                                                const std::string& id, const CallBook::Record* record) {
  if (record != nullptr && record->result)
    co_return co_await send_json(exchange, 200, state_json(lease, id, "finished", result_json(*record->result)));
  const bool under_way = record != nullptr;
  http::ClientRequest ask;
  ask.target = "executions/" + percent_encode(id);
  const auto answer = co_await parts_.runtime.ask(lease, std::move(ask), Deadline(now() + kAskLimit));
  if (!answer) co_return co_await send_error(exchange, answer.error());
  if (answer->head.status == 404 && under_way)
    co_return co_await send_json(exchange, 200, state_json(lease, id, "queued", "null"));
  Error refused = error_of_answer(answer->head.status, answer->body);
  if (answer->head.status == 404) refused = unknown_execution(id);
  if (answer->head.status != 200) co_return co_await send_error(exchange, std::move(refused));
  auto body = state_of(lease, id, answer->body);
  if (!body) co_return co_await send_error(exchange, body.error());
  co_await send_json(exchange, 200, *std::move(body));
}

asio::awaitable<void> Api::Impl::get_execution(Request& request) {
  const std::string& id = request.params[1];
  Error none = unknown_execution(id);
  if (!is_execution_id(id)) co_return co_await send_error(request.exchange, std::move(none));
  const auto lease = lease_used(request);
  const auto record = book_.find(request.params[0], id, now());
  // What a lease's end did to a call is told as long as it is kept.
  const bool kept = record && record->result && (lease || lease.error().code == "lease_ended");
  if (!lease && !kept) co_return co_await send_error(request.exchange, lease.error());
  co_await send_execution(request.exchange, request.params[0], id, record.get());
}

asio::awaitable<void> Api::Impl::delete_execution(Request& request) {
  http::Exchange& exchange = request.exchange;
  const std::string& id = request.params[1];
  Error none = unknown_execution(id);
  if (!is_execution_id(id)) co_return co_await send_error(exchange, std::move(none));
  const auto lease = lease_used(request);
  if (!lease) co_return co_await send_error(exchange, lease.error());
  const auto done = co_await parts_.runtime.cancel(lease->id, id);
  const auto record = book_.find(lease->id, id, now());
  const bool known = record != nullptr;
  // One that is known here and not there has ended meanwhile.
  const bool ended = !done && done.error().code == "unknown_execution" && known;
  Error refused = done ? Error{} : done.error();
  if (refused.code == "unknown_execution") refused = unknown_execution(id);
  if (!done && !ended) co_return co_await send_error(exchange, std::move(refused));
  co_await send_execution(exchange, lease->id, id, record.get());
}

asio::awaitable<Expected<std::unique_ptr<Transfer>>> Api::Impl::output_once(const Request& request, double wait) {
  const auto& head = request.exchange.head();
  http::ClientRequest ask;
  ask.target = "executions/" + percent_encode(request.params[1]) +
               "/output?stream=" + percent_encode(head.query_value("stream").value_or("stdout")) +
               "&offset=" + percent_encode(head.query_value("offset").value_or("0")) + "&wait=" + std::to_string(wait);
  const Deadline deadline = Deadline::after(now() + kAskLimit, Seconds(wait));
  return parts_.runtime.transfer(request.params[0], std::move(ask), NoUpload{}, deadline);
}

asio::awaitable<void> Api::Impl::get_output(Request& request) {
  http::Exchange& exchange = request.exchange;
  Error none = unknown_execution(request.params[1]);
  if (!is_execution_id(request.params[1])) co_return co_await send_error(exchange, std::move(none));
  const auto lease = lease_used(request);
  if (!lease) co_return co_await send_error(exchange, lease.error());
  const auto wait = wait_of(exchange.head());
  Error bad_wait{"bad_request", "wait is a number of seconds from 0", {}};
  if (!wait) co_return co_await send_error(exchange, std::move(bad_wait));
  const auto until = Deadline::after(now(), Seconds(*wait));
  asio::steady_timer pause(parts_.context);
  while (true) {
    const double left = std::chrono::duration<double>(until.remaining(now())).count();
    const auto output = co_await output_once(request, left);
    if (!output) co_return co_await send_error(exchange, output.error());
    const bool not_there = (*output)->head().status == 404;
    const bool coming = not_there && book_.find(lease->id, request.params[1], now()) != nullptr;
    if (!coming) co_return co_await send_body(exchange, **output);
    if (until.expired(now())) break;
    pause.expires_after(kAskAgain);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  http::Response nothing;
  nothing.content_type = http::kBytesType;
  nothing.fields = {{"Berth-Offset", "0"}, {"Berth-Next", "0"}, {"Berth-End", "false"}};
  (void)co_await exchange.respond(std::move(nothing));
}

}  // namespace berth::agent
