// SPDX-License-Identifier: Apache-2.0
#include "base/http/wire.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <limits>

#include "base/http/await.hpp"

namespace berth::http {
namespace {

constexpr int kLooksAStall = 8;  // so often progress is looked for within the time that none may last

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

TimePoint later(TimePoint now, Duration by) {
  return by >= TimePoint::max() - now ? TimePoint::max() : now + by;
}

void advance(std::span<iovec>& parts, std::size_t sent) {
  while (!parts.empty() && sent >= parts.front().iov_len) {
    sent -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (parts.empty()) return;
  parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + sent;
  parts.front().iov_len -= sent;
}

std::int64_t bytes_left(std::span<const iovec> parts) {
  std::int64_t total = 0;
  for (const iovec& part : parts) total += static_cast<std::int64_t>(part.iov_len);
  return total;
}

// Sent bytes that the peer's side has not taken.
int bytes_untaken(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

ssize_t send_plain(int fd, std::span<iovec> parts) {
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = std::min<std::size_t>(parts.size(), 16);
  return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

bool Wire::adopt(UniqueFd fd, int family) {
  boost::system::error_code error;
  socket_.assign(asio::generic::stream_protocol(family, 0), fd.get(), error);
  if (error) return false;
  static_cast<void>(fd.release());
  return true;
}

asio::awaitable<IoResult> Wire::await_connected(Deadline deadline) {
  wait_until(deadline.at());
  const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
  co_return IoResult{end_wait(static_cast<bool>(error)), 0};
}

asio::awaitable<Expected<void>> Wire::shake_hands(std::unique_ptr<Layer> layer, Deadline deadline) {
  layer_ = std::move(layer);
  while (layer_) {
    if (layer_->shake_hands() == 0) co_return Expected<void>();
    if (!would_block(errno)) co_return tl::unexpected(layer_->problem());
    const IoStatus ready = co_await await_layer(deadline);
    if (ready == IoStatus::timed_out) co_return fail("timeout", "no TLS handshake in time");
    if (ready != IoStatus::done) break;
  }
  co_return fail("disconnected", "interrupted");
}

asio::awaitable<IoResult> Wire::read(std::span<char> into, Deadline deadline, bool expect_wait) {
  if (layer_) co_return co_await read_through_layer(into, deadline);
  if (!expect_wait) {
    const ssize_t count = ::recv(fd(), into.data(), into.size(), MSG_DONTWAIT);
    if (count > 0) co_return IoResult{IoStatus::done, static_cast<std::size_t>(count)};
    if (count == 0) co_return IoResult{IoStatus::end, 0};
    if (!would_block(errno)) co_return IoResult{IoStatus::failed, 0};
  }
  wait_until(deadline.at());
  const auto [error, count] = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), kAwait);
  const IoStatus status = end_wait(static_cast<bool>(error));
  co_return IoResult{error == asio::error::eof ? IoStatus::end : status, count};
}

asio::awaitable<IoResult> Wire::read_through_layer(std::span<char> into, Deadline deadline) {
  while (layer_) {
    const ssize_t count = layer_->receive(into);
    if (count > 0) co_return IoResult{IoStatus::done, static_cast<std::size_t>(count)};
    if (count == 0) co_return IoResult{IoStatus::end, 0};
    if (!would_block(errno)) break;
    const IoStatus ready = co_await await_layer(deadline);
    if (ready != IoStatus::done) co_return IoResult{ready, 0};
  }
  co_return IoResult{IoStatus::failed, 0};
}

asio::awaitable<IoStatus> Wire::await_layer(Deadline deadline) {
  wait_until(deadline.at());
  const auto kind = layer_->wants_write() ? Socket::wait_write : Socket::wait_read;
  const auto [error] = co_await socket_.async_wait(kind, kAwait);
  co_return end_wait(static_cast<bool>(error));
}

ssize_t Wire::peek() {
  if (layer_) return layer_->peek();
  char byte = 0;
  return ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

bool Wire::try_write(std::span<iovec>& parts) {
  while (!parts.empty()) {
    const ssize_t sent = layer_ ? layer_->send(parts) : send_plain(fd(), parts);
    if (sent < 0) return false;
    advance(parts, static_cast<std::size_t>(sent));
  }
  return true;
}

asio::awaitable<IoResult> Wire::write(std::span<iovec> parts, Deadline deadline, Duration stall) {
  // What the peer has taken is what has left the kernel's queue: the kernel may take more from us, and call the socket
  // writable or not, while its reader takes nothing.
  std::int64_t taken_before = std::numeric_limits<std::int64_t>::min();
  TimePoint since{};
  while (!try_write(parts)) {
    if (!would_block(errno)) co_return IoResult{IoStatus::failed, 0};
    const TimePoint now = berth::now();
    const std::int64_t taken = -bytes_left(parts) - bytes_untaken(fd());
    if (taken > taken_before) since = now;
    if (now - since >= stall || deadline.expired(now)) co_return IoResult{IoStatus::timed_out, 0};
    taken_before = taken;
    wait_until(std::min(deadline.at(), later(now, stall / kLooksAStall)));
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
    const IoStatus status = end_wait(static_cast<bool>(error));
    if (status == IoStatus::failed) co_return IoResult{status, 0};
  }
  co_return IoResult{};
}

void Wire::close() {
  boost::system::error_code ignored;
  layer_.reset();  // its descriptor's number may soon be another's
  socket_.close(ignored);
  timer_.cancel();
}

asio::awaitable<void> Wire::end_sending(Deadline deadline) {
  IoStatus ready = IoStatus::done;
  while (layer_ && ready == IoStatus::done && layer_->end() != 0) {
    if (!would_block(errno)) break;
    ready = co_await await_layer(deadline);
  }
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Wire::wait_until(TimePoint due) {
  due_ = due;
  timed_out_ = false;
  if (due < armed_for_) arm(due);
}

void Wire::arm(TimePoint at) {
  armed_for_ = at;
  timer_.expires_at(at);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->on_timer();
  });
}

void Wire::on_timer() {
  armed_for_ = TimePoint::max();
  if (due_ == TimePoint::max() || !socket_.is_open()) return;
  if (now() < due_) return arm(due_);
  timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

IoStatus Wire::end_wait(bool failed) {
  due_ = TimePoint::max();
  if (!failed) return IoStatus::done;
  return timed_out_ ? IoStatus::timed_out : IoStatus::failed;
}

}  // namespace berth::http
