// SPDX-License-Identifier: Apache-2.0
// A request's body in pieces.
#include <array>
#include <charconv>

#include "base/http/client_connection.hpp"

namespace berth::http {
asio::awaitable<Expected<void>> ClientConnection::Impl::put(std::span<iovec> parts, Deadline deadline) {
  const IoResult sent = co_await wire_->write(parts, deadline, write_stall_);
  if (sent.status == IoStatus::done) co_return Expected<void>();
  sent_whole_ = false;
  if (sent.status == IoStatus::timed_out) co_return fail("timeout", "the server does not take the request");
  co_return fail("transport", "the connection was cut in the middle of the request");
}

asio::awaitable<Expected<void>> ClientConnection::Impl::begin(Self self, const ClientRequest& request,
                                                              std::optional<std::uint64_t> length, Deadline deadline) {
  std::string framing = "Content-Type: " + request.content_type + "\r\n";
  framing += length ? "Content-Length: " + std::to_string(*length) + "\r\n" : "Transfer-Encoding: chunked\r\n";
  Expected<std::string> head = format_head(request, self->address_, framing);
  if (!head) co_return tl::unexpected(head.error());
  self->lines_ = {};
  Expected<void> done = co_await open(self, deadline);
  if (!done) co_return done;
  self->settled_ = false;
  self->answered_ = false;
  self->sent_whole_ = true;
  self->in_chunks_ = !length;
  std::array<iovec, 1> parts{part_of(*head)};
  done = co_await self->put(parts, deadline);
  if (!done) self->wire_->close();
  co_return done;
}

asio::awaitable<Expected<void>> ClientConnection::Impl::write(Self self, std::string_view piece, Deadline deadline) {
  if (piece.empty()) co_return Expected<void>();
  if (!self->sent_whole_) co_return fail("transport", "the connection was cut in the middle of the request");
  if (!self->in_chunks_) {
    std::array<iovec, 1> parts{part_of(piece)};
    co_return co_await self->put(parts, deadline);
  }
  std::array<char, 20> size{};
  char* const end = std::to_chars(size.data(), size.data() + 16, piece.size(), 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  const auto size_bytes = static_cast<std::size_t>(end - size.data()) + 2;
  std::array<iovec, 3> parts{part_of({size.data(), size_bytes}), part_of(piece), part_of("\r\n")};
  co_return co_await self->put(parts, deadline);
}

asio::awaitable<Expected<ResponseHead>> ClientConnection::Impl::finish(Self self, Deadline deadline) {
  if (self->in_chunks_ && self->sent_whole_) {
    std::array<iovec, 1> parts{part_of("0\r\n\r\n")};
    static_cast<void>(co_await self->put(parts, deadline));
  }
  // A server that refuses early closes before it has read all: its answer may still be there.
  Expected<ResponseHead> answer = co_await self->read_answer(false, self->sent_whole_, deadline);
  if (!answer) self->wire_->close();
  co_return answer;
}

asio::awaitable<Expected<void>> ClientConnection::begin(const ClientRequest& request,
                                                        std::optional<std::uint64_t> length, Deadline deadline) {
  return Impl::begin(impl_, request, length, deadline);
}
asio::awaitable<Expected<void>> ClientConnection::write(std::string_view piece, Deadline deadline) {
  return Impl::write(impl_, piece, deadline);
}
asio::awaitable<Expected<ResponseHead>> ClientConnection::finish(Deadline deadline) {
  return Impl::finish(impl_, deadline);
}

}  // namespace berth::http
