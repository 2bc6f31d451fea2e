// SPDX-License-Identifier: Apache-2.0
#include "base/http/connection.hpp"

#include <poll.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>

#include "base/http/exchange.hpp"
#include "base/http/syntax.hpp"
#include "base/log.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;

// Trailer lines are parsed in the buffer, so it is never smaller than they may be.
constexpr std::size_t kLeastBuffer = std::size_t{16} << 10;
// After a refusal the peer may still be sending; closing at once would reset the connection and lose the answer.
constexpr Duration kLingerTime = 1s;
constexpr std::size_t kLingerBytes = std::size_t{16} << 20;
// While bytes of a pipelined request wait unread, readiness tells nothing, so a hang-up is looked for at this pace.
constexpr Duration kPeekPace = 100ms;
// Anybody can make handshakes fail as often as the network allows.
constexpr Duration kTellHandshakesPace = 60s;

std::uint64_t next_connection_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, std::shared_ptr<Wire> wire, std::unique_ptr<Layer> layer)
    : core_(std::move(core)),
      wire_(std::move(wire)),
      layer_(std::move(layer)),
      input_(std::max(core_->limits.head.max_bytes, kLeastBuffer)),
      id_(next_connection_id()) {}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
  // Not a co_await in the condition: g++ 12 makes a trap of that loop.
  bool again = true;
  if (self->layer_) again = co_await self->shake_hands();
  while (again) again = co_await self->serve_one();
}

asio::awaitable<bool> Connection::shake_hands() {
  const Deadline deadline(waits_since_ + core_->limits.head_timeout);
  const Expected<void> done = co_await wire_->shake_hands(std::move(layer_), deadline);
  if (done) co_return true;
  note_failed_handshake(done.error());
  if (done.error().code != "plain") co_return false;
  wire_->drop_layer();
  const Error spoken{"bad_request", "this port speaks TLS: write https://", {}};
  co_await refuse(spoken);
  co_return false;
}

void Connection::note_failed_handshake(const Error& problem) const {
  if (problem.code == "disconnected") return;  // whoever looks only whether the port is open
  if (problem.code != "plain") ++core_->refused;
  ++core_->untold_handshakes;
  const TimePoint at = now();
  if (at < core_->tell_handshakes_at) return;
  core_->tell_handshakes_at = at + kTellHandshakesPace;
  log(LogLevel::info, "TLS handshakes failed",
      {{"count", std::to_string(std::exchange(core_->untold_handshakes, 0))}, {"last", problem.message}});
}

void Connection::release() {
  stop_watch();
  wire_->close();
}

void Connection::cut() {
  wire_->close();
  cancel_.emit(asio::cancellation_type::terminal);
  // Outside the loop Asio posts the cancelling with a bare pointer into cancel_, which has to be there until then.
  asio::post(core_->context, [self = shared_from_this()] {});
}

void Connection::retire() {
  if (!busy_) wire_->close();
}

asio::awaitable<bool> Connection::serve_one() {
  Expected<std::optional<RequestHead>> head = co_await read_head();
  if (!head) {
    co_await refuse(head.error());
    co_return false;
  }
  if (!head->has_value() || core_->stopping) {
    if (wire_->has_layer()) co_await wire_->end_sending(Deadline(now() + kLingerTime));
    co_return false;
  }
  busy_ = true;
  ServerExchange exchange(*this, std::move(**head));
  co_await handle(exchange);
  stop_watch();
  const bool again = co_await exchange.finish();
  busy_ = false;
  if (again && !core_->stopping) co_return true;
  if (exchange.answered()) co_await end_after_answer();
  co_return false;
}

asio::awaitable<Expected<std::optional<RequestHead>>> Connection::read_head() {
  if (!first_) waits_since_ = now();
  Deadline deadline(waits_since_ + (first_ ? core_->limits.head_timeout : core_->limits.idle_timeout));
  bool begun = false;
  HeadScan scan;
  while (true) {
    if (!begun && !input_.empty()) {
      begun = true;
      if (!first_) deadline = Deadline(now() + core_->limits.head_timeout);
    }
    const auto end = scan.find_end(input_.view(), core_->limits.head.max_bytes);
    if (!end) co_return tl::unexpected(end.error());
    if (*end) {
      Expected<RequestHead> head = check_request_head(input_.view().substr(0, **end), core_->limits.head);
      if (!head) co_return tl::unexpected(head.error());
      input_.consume(**end);
      first_ = false;
      co_return std::optional<RequestHead>(std::move(*head));
    }
    const std::span<char> room = input_.prepare();
    const IoResult received = co_await wire_->read(room, deadline, !first_ && !begun);
    if (received.status == IoStatus::timed_out && begun) co_return fail("too_slow", "the head did not arrive in time");
    if (received.status != IoStatus::done) co_return std::optional<RequestHead>();
    input_.commit(received.bytes);
  }
}

asio::awaitable<void> Connection::refuse(const Error& error) {
  ++core_->refused;
  out_.clear();
  const Response answer = error_answer(gate_status(error), error.message);
  append_answer_head(out_, answer, {.length = answer.body.size(), .keep_alive = false},
                     core_->date.at(std::time(nullptr)));
  out_ += answer.body;
  iovec part{out_.data(), out_.size()};
  const IoResult sent = co_await wire_->write({&part, 1}, Deadline(now() + core_->limits.write_stall));
  if (sent.status == IoStatus::done) co_await end_after_answer();
}

asio::awaitable<void> Connection::handle(ServerExchange& exchange) {
  try {
    co_await core_->handler(exchange);
  } catch (const std::exception& error) {
    report_exception(exchange.head(), error.what());
  } catch (...) {
    report_exception(exchange.head(), "unknown");
  }
  co_await exchange.ensure_answer();
}

// A handler that is cancelled by cut() also leaves by an exception: nothing to report then.
void Connection::report_exception(const RequestHead& head, const char* what) const {
  if (wire_->is_open()) log(LogLevel::error, "http handler failed", {{"path", head.path}, {"error", what}});
}

asio::awaitable<void> Connection::end_after_answer() {
  co_await wire_->end_sending(Deadline(now() + core_->limits.write_stall));
  const Deadline deadline(now() + kLingerTime);
  std::size_t total = 0;
  while (total < kLingerBytes) {
    input_.consume(input_.view().size());
    const IoResult received = co_await wire_->read(input_.prepare(), deadline);
    if (received.status != IoStatus::done) co_return;
    total += received.bytes;
  }
}

void Connection::watch(std::function<void()> gone) {
  gone_ = std::move(gone);
  if (!watching_) await_hang_up();
}

void Connection::stop_watch() {
  gone_ = nullptr;
  if (!watching_) return;
  watching_ = false;
  ++watch_epoch_;
  cancel_watch_.emit(asio::cancellation_type::terminal);
  if (peek_timer_) peek_timer_->cancel();
}

void Connection::await_hang_up() {
  watching_ = true;
  auto ready = [self = shared_from_this(), epoch = watch_epoch_](const boost::system::error_code& error) {
    if (!error && self->watch_epoch_ == epoch) self->check_hang_up();
  };
  wire_->socket().async_wait(Wire::Socket::wait_read,
                             asio::bind_cancellation_slot(cancel_watch_.slot(), std::move(ready)));
}

void Connection::check_hang_up() {
  const ssize_t count = wire_->peek();
  if (count > 0) return check_later();
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return await_hang_up();
  report_hang_up();
}

void Connection::check_later() {
  pollfd state{wire_->fd(), POLLRDHUP, 0};
  if (::poll(&state, 1, 0) > 0) return report_hang_up();
  if (!peek_timer_) peek_timer_.emplace(core_->context);
  peek_timer_->expires_after(kPeekPace);
  peek_timer_->async_wait([self = shared_from_this(), epoch = watch_epoch_](const boost::system::error_code& error) {
    if (!error && self->watch_epoch_ == epoch) self->check_later();
  });
}

void Connection::report_hang_up() {
  watching_ = false;
  ++watch_epoch_;
  if (gone_) std::exchange(gone_, nullptr)();
}

}  // namespace berth::http
