// SPDX-License-Identifier: Apache-2.0
// What passes between a client and the place it was connected to. Waits here have no deadline each: one clock, which
// every byte in either direction sets back, ends them all.
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <charconv>

#include "base/http/await.hpp"
#include "base/http/body.hpp"
#include "base/http/syntax.hpp"
#include "slotd/proxy/conversation.hpp"

namespace berth::slotd::proxy {
namespace {

constexpr std::size_t kBlock = std::size_t{16} << 10;
constexpr std::size_t kMostAnswerInput = http::kMaxResponseHead + kBlock;
constexpr int kMostInterims = 8;  // 1xx answers before the one that counts
constexpr std::string_view kTunnelReady = "HTTP/1.1 200 Connection established\r\n\r\n";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string chunk_head(std::size_t size) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  return std::string(digits.data(), end) + "\r\n";
}

bool wants_continue(const http::RequestHead& head) {
  const bool has_body = head.chunked || head.content_length.value_or(0) > 0;
  return has_body && head.modern && head.field("expect").has_value();
}

http::Body body_of(const http::RequestHead& head) {
  if (head.chunked) return http::Body::chunked();
  return http::Body::sized(head.content_length.value_or(0));
}

}  // namespace

void Conversation::count(const Traffic& more) {
  gate_->count(pattern_, more);
  book_->note(destination_, more);
}

void Conversation::moved(std::size_t bytes, bool outwards) {
  Traffic more;
  (outwards ? more.sent : more.received) = bytes;
  count(more);
}

void Conversation::watch_idle() {
  idle_timer_.expires_at(idle_since_ + idle_limit_);
  idle_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->cut_) return;
    if (now() - self->idle_since_ >= self->idle_limit_) return self->cut();
    self->watch_idle();
  });
}

// While an answer is awaited nobody reads from the client: one that goes away is seen all the same.
void Conversation::watch_client() {
  client_->socket().async_wait(http::Wire::Socket::wait_read,
                               [weak = weak_from_this(), turn = turn_](const auto& error) {
                                 const auto self = weak.lock();
                                 if (error || !self || self->cut_ || self->turn_ != turn) return;
                                 if (self->client_->peek() == 0) self->cut();
                               });
}

asio::awaitable<bool> Conversation::send(http::Wire& to, std::string_view text, bool outwards) {
  iovec part = http::part_of(text);
  const auto written = co_await to.write(std::span(&part, 1), Deadline());
  if (cut_ || written.status != http::IoStatus::done) co_return false;
  if (outwards) moved(text.size(), true);
  stir();
  co_return true;
}

// True when the sender has ended and the receiver knows it.
asio::awaitable<bool> Conversation::pump(http::Wire& from, http::Wire& to, bool outwards) {
  std::vector<char> block(kBlock);
  while (!cut_) {
    const auto got = co_await from.read(block, Deadline(), true);
    if (cut_ || got.status == http::IoStatus::failed) co_return false;
    if (got.status == http::IoStatus::end) break;
    stir();
    if (!outwards) moved(got.bytes, false);
    const bool sent = co_await send(to, std::string_view(block.data(), got.bytes), outwards);
    if (!sent) co_return false;
  }
  // The other side may have been cut as well: that shows when something is sent to it, or never.
  idle_limit_ = std::min(idle_limit_, gate_->limits().half_open);
  if (!cut_) {
    co_await to.end_sending(Deadline());
    watch_idle();
  }
  co_return !cut_;
}

asio::awaitable<void> Conversation::tunnel() {
  idle_limit_ = gate_->limits().idle;
  stir();
  watch_idle();
  const auto self = shared_from_this();
  bool ready = co_await send(*client_, kTunnelReady, false);
  const std::string early(input_.view());  // clients need not wait for our word
  input_.consume(early.size());
  if (ready && !early.empty()) ready = co_await send(*far_, early, true);
  if (!ready) co_return;
  const auto outwards_over = std::make_shared<asio::steady_timer>(gate_->context(), TimePoint::max());
  asio::co_spawn(
      gate_->context(),
      [self, outwards_over]() -> asio::awaitable<void> {
        const bool clean = co_await self->pump(*self->client_, *self->far_, true);
        if (!clean) self->cut();
        outwards_over->expires_at(TimePoint::min());
      },
      asio::detached);
  const bool clean = co_await pump(*far_, *client_, false);
  if (!clean) cut();
  if (outwards_over->expiry() == TimePoint::max()) co_await outwards_over->async_wait(http::kAwait);
}

asio::awaitable<bool> Conversation::send_body(http::Wire& from, http::InputBuffer& input, http::Body body,
                                              http::Wire& to, bool chunked, bool outwards) {
  std::vector<char> block(kBlock);
  while (!cut_) {
    const auto taken = body.take(input, block);
    if (!taken) co_return false;
    if (*taken > 0) {
      const std::string head = chunked ? chunk_head(*taken) : std::string();
      std::array<iovec, 3> parts{http::part_of(head), iovec{block.data(), *taken},
                                 http::part_of(chunked ? "\r\n" : "")};
      const auto written = co_await to.write(parts, Deadline());
      if (cut_ || written.status != http::IoStatus::done) co_return false;
      stir();
      if (outwards) moved(*taken, true);
      continue;
    }
    if (body.done()) break;
    const auto got = co_await from.read(input.prepare(), Deadline());
    if (cut_ || got.status == http::IoStatus::failed) co_return false;
    if (got.status == http::IoStatus::end && !body.end_of_input()) co_return false;
    if (got.status == http::IoStatus::end) continue;
    input.commit(got.bytes);
    stir();
    if (!outwards) moved(got.bytes, false);
  }
  if (!chunked || cut_) co_return !cut_;
  co_return co_await send(to, "0\r\n\r\n", outwards);
}

asio::awaitable<Expected<http::ParsedResponse>> Conversation::read_answer_head(http::InputBuffer& input,
                                                                               bool head_request) {
  for (int interim = 0; interim < kMostInterims; ++interim) {
    http::HeadScan scan;
    std::optional<std::size_t> end;
    while (!end) {
      const auto found = scan.find_end(input.view(), http::kMaxResponseHead);
      if (!found) co_return tl::unexpected(found.error());
      end = *found;
      if (end) break;
      const auto got = co_await far_->read(input.prepare(), Deadline());
      if (cut_ || got.status != http::IoStatus::done)
        co_return fail("connect", "it closed the connection without an answer");
      input.commit(got.bytes);
      stir();
      moved(got.bytes, false);
    }
    auto parsed = http::parse_response_head(input.view().substr(0, *end), head_request);
    input.consume(*end);
    if (!parsed || parsed->head.status >= 200) co_return parsed;
    if (parsed->head.status == 101) break;  // nobody asked for another protocol
  }
  co_return fail("protocol", "it never came to its answer");
}

// One request and its answer over a connection of its own. True when the client's connection can take another.
asio::awaitable<bool> Conversation::exchange(ProxyRequest request) {
  ++turn_;
  idle_limit_ = gate_->limits().idle;
  stir();
  watch_idle();
  const auto self = shared_from_this();
  const std::string head = head_for_destination(request);
  bool sent = co_await send(*far_, head, true);
  if (sent && wants_continue(request.head)) sent = co_await send(*client_, kContinue, false);
  // An answer may come before all of the body has gone.
  const auto body = body_of(request.head);
  const auto body_gone = std::make_shared<bool>(body.done());
  if (body.done()) {
    watch_client();
  } else {
    asio::co_spawn(
        gate_->context(),
        [self, body, body_gone, chunked = request.head.chunked]() -> asio::awaitable<void> {
          *body_gone = co_await self->send_body(*self->client_, self->input_, body, *self->far_, chunked, true);
          self->watch_client();
        },
        asio::detached);
  }
  http::InputBuffer from_far(kMostAnswerInput);
  auto answer = co_await read_answer_head(from_far, request.head.method == "HEAD");
  if (cut_) co_return false;
  if (!answer) {
    Refusal refusal{502, "connect", destination_ + ": " + answer.error().message};
    co_await refuse(std::move(refusal), destination_);
    co_return false;
  }
  const AnswerDelivery delivery = delivery_of(request, *answer);
  const std::string to_client = head_for_client(*answer, delivery, request.head.modern);
  bool whole = co_await send(*client_, to_client, false);
  if (whole) whole = co_await send_body(*far_, from_far, answer->body, *client_, delivery.chunked, false);
  far_->close();
  ++turn_;
  const bool goes_on = whole && delivery.keep_alive && *body_gone;
  if (goes_on) idle_timer_.cancel();
  if (whole && !goes_on) co_await linger();
  co_return goes_on;
}

}  // namespace berth::slotd::proxy
