// SPDX-License-Identifier: Apache-2.0
// Reads the read end of a pipe into an execution's ring until end of file. Lives as long as its pending read.
// Single-threaded. Until start() nothing watches the pipe: a command that ends at once then costs no wake-up for the
// closing of its output, and drain_now() takes what it wrote.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "base/fd.hpp"
#include "slotd/output_ring.hpp"

namespace berth::slotd {

namespace asio = boost::asio;

class PipeReader : public std::enable_shared_from_this<PipeReader> {
 public:
  // `fd` must be non-blocking. `on_change` runs after every piece and at the end of file; dropped by stop().
  PipeReader(const asio::any_io_executor& executor, UniqueFd fd, OutputRing& ring, std::function<void()> on_change);

  // Watches the pipe from now on; once only.
  void start();
  [[nodiscard]] bool started() const { return descriptor_.has_value(); }
  // Takes what is there now without waiting; reaches the end of file when no writer is left.
  void drain_now();
  [[nodiscard]] bool at_end() const { return at_end_; }
  // No further reads; the descriptor closes.
  void stop();

 private:
  enum class Progress : std::uint8_t { again, more, end };
  Progress read_piece();
  void wait();

  [[nodiscard]] int fd() { return descriptor_ ? descriptor_->native_handle() : fd_.get(); }

  asio::any_io_executor executor_;
  UniqueFd fd_;  // until start()
  std::optional<asio::posix::stream_descriptor> descriptor_;
  OutputRing* ring_;
  std::function<void()> on_change_;
  bool at_end_ = false;
};

}  // namespace berth::slotd
