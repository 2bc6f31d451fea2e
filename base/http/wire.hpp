// SPDX-License-Identifier: Apache-2.0
// One connected stream socket with a deadline on each wait. System calls are tried first and awaited only when they
// would block. One timer serves all waits of a socket: it is armed at the earliest moment needed and moved lazily, so
// that a busy connection does not touch it at every request. With a layer, bytes pass through it on their way to the
// socket; the waiting is the same. All members run on the io_context's thread.
#pragma once

#include <sys/uio.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.hpp"
#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "base/http/layer.hpp"

namespace berth::http {

namespace asio = boost::asio;

enum class IoStatus { done, end, timed_out, failed };

// Nothing writes through it.
[[nodiscard]] inline iovec part_of(std::string_view text) {
  return {const_cast<char*>(text.data()), text.size()};
}

struct IoResult {
  IoStatus status = IoStatus::done;
  std::size_t bytes = 0;
};

class Wire : public std::enable_shared_from_this<Wire> {
 public:
  using Socket = asio::generic::stream_protocol::socket;

  explicit Wire(asio::io_context& context) : socket_(context), timer_(context) {}

  // Takes a non-blocking socket that is connected or about to be; false when it cannot be watched.
  [[nodiscard]] bool adopt(UniqueFd fd, int family);

  // Awaits the outcome of a connect in progress.
  [[nodiscard]] asio::awaitable<IoResult> await_connected(Deadline deadline);

  // From here on everything passes through `layer`. Errors: those of Layer::problem(), "timeout".
  [[nodiscard]] asio::awaitable<Expected<void>> shake_hands(std::unique_ptr<Layer> layer, Deadline deadline);
  [[nodiscard]] bool has_layer() const { return layer_ != nullptr; }
  void drop_layer() { layer_.reset(); }

  // Receives at least one byte. `expect_wait` skips the first attempt where it would be in vain.
  [[nodiscard]] asio::awaitable<IoResult> read(std::span<char> into, Deadline deadline, bool expect_wait = false);

  // As recv() of one byte that stays: 0 when the peer has closed, -1 with errno.
  [[nodiscard]] ssize_t peek();

  // Sends as much as the socket takes at once and advances `parts`; true when all is sent.
  [[nodiscard]] bool try_write(std::span<iovec>& parts);
  // Sends the rest; fails when nothing was taken for `stall`, or at the deadline.
  [[nodiscard]] asio::awaitable<IoResult> write(std::span<iovec> parts, Deadline deadline,
                                                Duration stall = Duration::max());

  // Ends pending waits with `failed`. Harmless when repeated.
  void close();
  // Tells the peer that nothing more comes; with a layer the peer can tell that from a cut.
  [[nodiscard]] asio::awaitable<void> end_sending(Deadline deadline);
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }
  [[nodiscard]] Socket& socket() { return socket_; }
  [[nodiscard]] int fd() { return socket_.is_open() ? socket_.native_handle() : -1; }

 private:
  [[nodiscard]] asio::awaitable<IoResult> read_through_layer(std::span<char> into, Deadline deadline);
  [[nodiscard]] asio::awaitable<IoStatus> await_layer(Deadline deadline);
  void wait_until(TimePoint due);
  void arm(TimePoint at);
  void on_timer();
  [[nodiscard]] IoStatus end_wait(bool failed);

  Socket socket_;
  asio::steady_timer timer_;
  std::unique_ptr<Layer> layer_;            // null: none, or closed
  TimePoint armed_for_ = TimePoint::max();  // max: not armed
  TimePoint due_ = TimePoint::max();        // max: nothing waits
  bool timed_out_ = false;
};

}  // namespace berth::http
