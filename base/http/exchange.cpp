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

asio::awaitable<Expected<void>> ServerExchange::write(std::string_view data) {
  if (state_ != State::streaming) co_return fail("disconnected", "no answer is being streamed");
  if (data.empty()) co_return Expected<void>();
  if (answer_left_) {
    if (data.size() > *answer_left_) {
      state_ = State::cut;
      co_return fail("bad_length", "more bytes than the announced length");
    }
    *answer_left_ -= data.size();
  }
  if (bodyless_) co_return Expected<void>();
  if (chunked_answer_) co_return co_await send_chunk(data);
  iovec part = part_of(data);
  co_return co_await send({&part, 1});
}

asio::awaitable<Expected<void>> ServerExchange::send_chunk(std::string_view data) {
  std::array<char, 20> size{};
  char* const end = std::to_chars(size.data(), size.data() + 16, data.size(), 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  const auto size_bytes = static_cast<std::size_t>(end - size.data()) + 2;
  std::array<iovec, 3> parts{part_of({size.data(), size_bytes}), part_of(data), part_of("\r\n")};
  co_return co_await send(parts);
}

asio::awaitable<Expected<void>> ServerExchange::end_stream() {
  if (state_ != State::streaming) co_return fail("disconnected", "no answer is being streamed");
  if (answer_left_.value_or(0) > 0 && !bodyless_) {
    state_ = State::cut;
    co_return fail("bad_length", "fewer bytes than the announced length");
  }
  if (chunked_answer_ && !bodyless_) {
    iovec part = part_of("0\r\n\r\n");
    if (Expected<void> sent = co_await send({&part, 1}); !sent) co_return sent;
  }
  state_ = State::ended;
  co_return Expected<void>();
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
