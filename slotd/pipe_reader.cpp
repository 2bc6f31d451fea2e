// SPDX-License-Identifier: Apache-2.0
#include "slotd/pipe_reader.hpp"

#include <unistd.h>

#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>

namespace berth::slotd {
namespace {

constexpr std::size_t kPipePiece = std::size_t{64} << 10;
// A command that floods its pipe gives way to the other slots after so many pieces.
constexpr int kPipePieces = 8;

// One buffer for all readers: they run on one thread and copy out at once.
std::array<char, kPipePiece>& pipe_buffer() {
  static std::array<char, kPipePiece> buffer;
  return buffer;
}

}  // namespace

PipeReader::PipeReader(const asio::any_io_executor& executor, UniqueFd fd, OutputRing& ring,
                       std::function<void()> on_change)
    : executor_(executor), fd_(std::move(fd)), ring_(&ring), on_change_(std::move(on_change)) {}

void PipeReader::start() {
  if (at_end_ || !fd_) return;
  descriptor_.emplace(executor_, fd_.release());
  wait();
}

void PipeReader::wait() {
  descriptor_->async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (error || self->at_end_ || !self->on_change_) return;
                            auto progress = Progress::more;
                            for (int i = 0; i < kPipePieces && progress == Progress::more; ++i)
                              progress = self->read_piece();
                            const auto on_change = self->on_change_;
                            on_change();
                            if (!self->at_end_ && self->on_change_) self->wait();
                          });
}

PipeReader::Progress PipeReader::read_piece() {
  auto& buffer = pipe_buffer();
  ssize_t count = 0;
  do {
    count = ::read(fd(), buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    ring_->append({buffer.data(), static_cast<std::size_t>(count)});
    return static_cast<std::size_t>(count) == buffer.size() ? Progress::more : Progress::again;
  }
  if (count < 0 && errno == EAGAIN) return Progress::again;
  at_end_ = true;
  return Progress::end;
}

void PipeReader::drain_now() {
  // A pipe holds 64 KiB unless its writer enlarged it; 1 MiB is the most an ordinary user may set.
  for (int i = 0; i < 64 && !at_end_ && fd() >= 0; ++i) {
    const auto before = ring_->total();
    if (read_piece() == Progress::again && ring_->total() == before) return;
  }
}

void PipeReader::stop() {
  on_change_ = nullptr;
  fd_.reset();
  if (!descriptor_) return;
  boost::system::error_code ignored;
  descriptor_->close(ignored);
}

}  // namespace berth::slotd
