// SPDX-License-Identifier: Apache-2.0
// Reading the request's body: the other half of ServerExchange.
#include <algorithm>
#include <array>

#include "base/http/exchange.hpp"

namespace berth::http {
namespace {

constexpr std::size_t kFirstBodyBlock = std::size_t{64} << 10;
constexpr std::size_t kUnknownBlock = 4096;  // the next chunk's size has not come yet
constexpr std::size_t kMaxDrain = std::size_t{64} << 10;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Error over(std::size_t max_bytes) {
  return {"body_too_large", "body larger than " + std::to_string(max_bytes) + " bytes", {}};
}

}  // namespace

asio::awaitable<Expected<std::string>> ServerExchange::read_body(std::size_t max_bytes) {
  if (head_.content_length.value_or(0) > max_bytes) co_return body_failed(over(max_bytes));
  std::string body;
  // A length is only a claim: memory follows what has really come.
  while (!body_.done()) {
    const std::size_t have = body.size();
    const std::uint64_t expected = body_.direct() > 0 ? body_.direct() : kUnknownBlock;
    const std::size_t block = std::max(kFirstBodyBlock, have);
    body.resize(have + static_cast<std::size_t>(std::min<std::uint64_t>(expected, block)));
    const auto count = co_await read_some({body.data() + have, body.size() - have});
    if (!count) co_return tl::unexpected(count.error());
    body.resize(have + *count);
    if (body.size() > max_bytes) co_return body_failed(over(max_bytes));
    if (!hold_body(body.size())) co_return body_failed({"busy", "too many large requests at once", "try again"});
  }
  co_return body;
}

bool ServerExchange::hold_body(std::size_t bytes) {
  ServerCore& core = connection_.core();
  core.held_bodies += bytes - body_held_;
  body_held_ = bytes;
  return core.held_bodies <= core.limits.body_memory || bytes <= kFirstBodyBlock;
}

asio::awaitable<Expected<std::size_t>> ServerExchange::read_some(std::span<char> buffer) {
  if (body_error_) co_return tl::unexpected(*body_error_);
  while (true) {
    const Expected<std::size_t> taken = body_.take(connection_.input(), buffer);
    if (!taken) co_return body_failed(taken.error());
    body_received_ += *taken;
    if (*taken > 0) awaits_continue_ = false;
    if (body_.done()) watch_if_ready();
    if (*taken > 0 || body_.done() || buffer.empty()) co_return taken;
    if (Expected<void> allowed = co_await allow_body(); !allowed) co_return tl::unexpected(allowed.error());
    const Expected<std::size_t> received = co_await receive(buffer);
    if (!received || *received > 0) co_return received;
  }
}

// Bytes received straight into `buffer`, or 0 when they went into the connection's buffer to be decoded.
asio::awaitable<Expected<std::size_t>> ServerExchange::receive(std::span<char> buffer) {
  InputBuffer& input = connection_.input();
  const std::uint64_t direct = input.empty() ? body_.direct() : 0;
  const std::span<char> into =
      direct == 0 ? input.prepare()
                  : buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(direct, buffer.size())));
  const TimePoint start = now();
  const IoResult got = co_await connection_.wire().read(into, body_deadline(start));
  body_waited_ += now() - start;
  if (got.status == IoStatus::timed_out) co_return body_failed({"too_slow", "the body arrives too slowly", {}});
  if (got.status != IoStatus::done) {
    if (gone_) std::exchange(gone_, nullptr)();
    co_return body_failed({"disconnected", "the peer closed the connection", {}});
  }
  if (direct == 0) {
    input.commit(got.bytes);
    co_return std::size_t{0};
  }
  body_received_ += got.bytes;
  body_.note_direct(got.bytes);
  if (body_.done()) watch_if_ready();
  co_return got.bytes;
}

// Only time spent waiting for the peer counts, so that a slow handler does not make its caller late.
Deadline ServerExchange::body_deadline(TimePoint now) const {
  const ServerLimits& limits = connection_.core().limits;
  const auto earned =
      std::chrono::duration<double>(static_cast<double>(body_received_) /
                                    static_cast<double>(std::max<std::size_t>(limits.body_bytes_per_second, 1)));
  const Deadline budget = Deadline::after(now, earned + limits.body_grace);
  // Bytes that came fast are no licence to stop: the credit ends with a stall.
  return Deadline(budget.at() - body_waited_).earlier(Deadline(now + limits.body_stall));
}

asio::awaitable<Expected<void>> ServerExchange::allow_body() {
  if (!std::exchange(awaits_continue_, false)) co_return Expected<void>();
  iovec part{const_cast<char*>(kContinue.data()), kContinue.size()};
  co_return co_await send({&part, 1});
}

tl::unexpected<Error> ServerExchange::body_failed(Error error) {
  body_error_ = error;
  keep_alive_ = false;
  return tl::unexpected(std::move(error));
}

asio::awaitable<bool> ServerExchange::finish() {
  if (state_ != State::ended || !keep_alive_) co_return false;
  std::array<char, 4096> waste;
  std::size_t drained = 0;
  while (!body_.done()) {
    const auto count = co_await read_some(waste);
    if (!count) co_return false;
    drained += *count;
    if (drained > kMaxDrain) co_return false;
  }
  co_return true;
}

}  // namespace berth::http
