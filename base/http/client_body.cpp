// SPDX-License-Identifier: Apache-2.0
// Reading the answer's body: the other half of the client.
#include <algorithm>

#include "base/http/client_connection.hpp"

namespace berth::http {
namespace {

constexpr std::size_t kPart = std::size_t{64} << 10;

tl::unexpected<Error> cut(IoStatus status) {
  if (status == IoStatus::timed_out) return fail("timeout", "the answer did not end in time");
  return fail("transport", "the connection was cut in the middle of the answer");
}

}  // namespace

asio::awaitable<Expected<std::string>> ClientConnection::Impl::read_some(Self self, std::size_t max_bytes,
                                                                         Deadline deadline) {
  if (std::string rest = self->lines_.take_some(max_bytes); !rest.empty()) co_return rest;
  co_return co_await self->next_part(max_bytes, deadline);
}

asio::awaitable<Expected<std::string>> ClientConnection::Impl::next_part(std::size_t max_bytes, Deadline deadline) {
  std::string part;
  while (!body_.done()) {
    part.resize(std::max<std::size_t>(1, std::min(max_bytes, kPart)));
    const Expected<std::size_t> count = co_await receive(part, deadline);
    if (!count) {
      wire_->close();
      co_return tl::unexpected(count.error());
    }
    part.resize(*count);
    note_progress();
    if (*count > 0) break;
  }
  co_return part;
}

// Body bytes into `into`; 0 when only framing came or the body has ended.
asio::awaitable<Expected<std::size_t>> ClientConnection::Impl::receive(std::span<char> into, Deadline deadline) {
  const Expected<std::size_t> taken = body_.take(input_, into);
  if (!taken) co_return fail("protocol", taken.error().message);
  if (*taken > 0 || body_.done()) co_return taken;
  const std::uint64_t direct = input_.empty() ? body_.direct() : 0;
  const std::span<char> room = direct > 0
                                   ? into.first(static_cast<std::size_t>(std::min<std::uint64_t>(direct, into.size())))
                                   : input_.prepare();
  const IoResult got = co_await wire_->read(room, deadline);
  if (got.status == IoStatus::end && body_.end_of_input()) co_return std::size_t{0};
  if (got.status != IoStatus::done) co_return cut(got.status);
  if (direct == 0) {
    input_.commit(got.bytes);
    co_return std::size_t{0};
  }
  body_.note_direct(got.bytes);
  co_return got.bytes;
}

asio::awaitable<Expected<std::string>> ClientConnection::Impl::read_body(Self self, std::size_t max_bytes,
                                                                         Deadline deadline) {
  const auto too_large = [&] {
    self->wire_->close();
    return fail("protocol", "the answer's body is larger than " + std::to_string(max_bytes) + " bytes");
  };
  if (self->length_.value_or(0) > max_bytes) co_return too_large();
  std::string body;
  while (true) {
    Expected<std::string> part = co_await read_some(self, kPart, deadline);
    if (!part) co_return part;
    if (part->empty()) co_return body;
    if (part->size() > max_bytes - body.size()) co_return too_large();
    body.append(*part);
  }
}

asio::awaitable<Expected<std::optional<std::string>>> ClientConnection::Impl::read_line(Self self,
                                                                                        std::size_t max_bytes,
                                                                                        Deadline deadline) {
  using Line = std::optional<std::string>;
  while (true) {
    std::optional<std::string> line = self->lines_.take_line();
    if (line && line->size() <= max_bytes) co_return Line(std::move(line));
    if (line || self->lines_.size() > max_bytes) {
      self->wire_->close();
      co_return fail("protocol", "a line of the answer is longer than " + std::to_string(max_bytes) + " bytes");
    }
    Expected<std::string> part = co_await self->next_part(kPart, deadline);
    if (!part) co_return tl::unexpected(part.error());
    if (part->empty()) break;
    self->lines_.append(*part);
  }
  std::string rest = self->lines_.take_some(self->lines_.size());
  co_return rest.empty() ? Line() : Line(std::move(rest));
}

}  // namespace berth::http
