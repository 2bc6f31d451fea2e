// SPDX-License-Identifier: Apache-2.0
#include "base/http/exchange.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/http/wire.hpp"

namespace berth::http {
namespace {

Body body_of(const RequestHead& head) {
  return head.chunked ? Body::chunked() : Body::sized(head.content_length.value_or(0));
}

}  // namespace

ServerExchange::ServerExchange(Connection& connection, RequestHead head)
    : connection_(connection),
      head_(std::move(head)),
      body_(body_of(head_)),
      awaits_continue_(head_.modern && !body_.done() && head_.field("expect").has_value()),
      keep_alive_(head_.keep_alive) {}

ServerExchange::~ServerExchange() {
  body_used();
}

void ServerExchange::body_used() {
  connection_.core().held_bodies -= std::exchange(body_held_, 0);
}

asio::awaitable<Expected<void>> ServerExchange::respond(Response response) {
  if (state_ != State::open) co_return fail("disconnected", "the answer was already given or the peer is gone");
  if (response.close) keep_alive_ = false;
  const std::uint64_t length = response.body.size();
  Expected<void> sent = co_await send_head(response, length, response.body);
  if (sent) state_ = State::ended;
  co_return sent;
}

asio::awaitable<Expected<void>> ServerExchange::begin_stream(Response head, std::optional<std::uint64_t> length) {
  if (state_ != State::open) co_return fail("disconnected", "the answer was already given or the peer is gone");
  if (head.close || (!length && !head_.modern)) keep_alive_ = false;
  chunked_answer_ = !length && head_.modern;
  answer_left_ = length;
  Expected<void> sent = co_await send_head(head, length, {});
  if (sent) state_ = State::streaming;
  co_return sent;
}

asio::awaitable<Expected<void>> ServerExchange::send_head(const Response& head, std::optional<std::uint64_t> length,
                                                          std::string_view body) {
  if (connection_.core().stopping || body_error_ || awaits_continue_) keep_alive_ = false;
  std::string& out = connection_.scratch();
  out.clear();
  const AnswerFraming framing{chunked_answer_, length, keep_alive_, head_.modern};
  append_answer_head(out, head, framing, connection_.core().date.at(std::time(nullptr)));
  bodyless_ = head_.method == "HEAD" || !may_have_body(head.status);
  std::array<iovec, 2> parts{part_of(out), part_of(body)};
  co_return co_await send(std::span(parts).first(bodyless_ || body.empty() ? 1 : 2));
}

Expected<void> ServerExchange::count(std::size_t bytes, bool at_end) {
  if (state_ != State::streaming) return fail("disconnected", "no answer is being streamed");
  if (!answer_left_) return {};
  const bool wrong = bytes > *answer_left_ || (at_end && !bodyless_ && bytes < *answer_left_);
  if (wrong) state_ = State::cut;
  if (bytes > *answer_left_) return fail("bad_length", "more bytes than the announced length");
  if (wrong) return fail("bad_length", "fewer bytes than the announced length");
  *answer_left_ -= bytes;
  return {};
}

asio::awaitable<Expected<void>> ServerExchange::write(std::string_view data) {
  const Expected<void> counted = count(data.size(), false);
  if (!counted || data.empty() || bodyless_) co_return counted;
  co_return co_await send_data(data, {});
}

asio::awaitable<Expected<void>> ServerExchange::end_stream(std::string_view last) {
  Expected<void> done = count(last.size(), true);
  if (!done) co_return done;
  const std::string_view end = chunked_answer_ ? "0\r\n\r\n" : "";
  if (!bodyless_ && !(last.empty() && end.empty())) done = co_await send_data(last, end);
  if (done) state_ = State::ended;
  co_return done;
}

// As a chunk where the answer has chunks; with `end` behind it.
asio::awaitable<Expected<void>> ServerExchange::send_data(std::string_view data, std::string_view end) {
  std::array<char, 20> size{};
  std::array<iovec, 4> parts{};
  std::size_t used = 0;
  const bool framed = chunked_answer_ && !data.empty();
  char* const size_end = std::to_chars(size.data(), size.data() + 16, data.size(), 16).ptr;
  size_end[0] = '\r';
  size_end[1] = '\n';
  if (framed) parts[used++] = part_of({size.data(), static_cast<std::size_t>(size_end - size.data()) + 2});
  if (!data.empty()) parts[used++] = part_of(data);
  if (framed) parts[used++] = part_of("\r\n");
  if (!end.empty()) parts[used++] = part_of(end);
  co_return co_await send(std::span(parts).first(used));
}

asio::awaitable<Expected<void>> ServerExchange::send(std::span<iovec> parts) {
  const IoResult sent = co_await connection_.wire().write(parts, Deadline(), connection_.core().limits.write_stall);
  if (sent.status == IoStatus::done) co_return Expected<void>();
  state_ = State::cut;
  if (sent.status == IoStatus::timed_out) co_return fail("too_slow", "the peer takes nothing");
  co_return fail("disconnected", "the peer closed the connection");
}

void ServerExchange::on_disconnect(std::function<void()> callback) {
  gone_ = std::move(callback);
  watch_if_ready();
}

// Before the body is there, its reader sees a hang-up first.
void ServerExchange::watch_if_ready() {
  if (gone_ && body_.done()) connection_.watch(std::exchange(gone_, nullptr));
}

asio::awaitable<void> ServerExchange::ensure_answer() {
  if (state_ != State::open) co_return;
  Response answer =
      body_error_ ? error_answer(gate_status(*body_error_), body_error_->message) : error_answer(500, "internal error");
  static_cast<void>(co_await respond(std::move(answer)));
}

}  // namespace berth::http
