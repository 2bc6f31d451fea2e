// SPDX-License-Identifier: Apache-2.0
// /v1/leases/{lease}/files/{path}: passed through piece by piece; a file is never whole in the agent's memory.
#include <array>
#include <charconv>

#include "agent/api/impl.hpp"
#include "base/call_wire.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;
constexpr std::size_t kMostPath = 4096;
constexpr std::chrono::minutes kTurnLimit{1};
constexpr std::chrono::hours kTransferLimit{1};
constexpr std::size_t kMostErrorBody = std::size_t{64} << 10;

std::string target_of(const Request& request) {
  std::string target = "files/" + percent_encode_path(request.params[1]);
  if (request.asks("tar", "1")) return target + "?tar=1";
  return request.asks("recursive", "1") ? target + "?recursive=1" : target;
}

std::optional<Error> objection(const Request& request) {
  if (request.params[1].size() > kMostPath) return Error{"bad_path", "the path is longer than 4096 bytes", {}};
  return std::nullopt;
}

// What a slot server says of a file, in this API's form. Every field that matters to readers of files goes through.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kPassed{{
    {"content-range", "Content-Range"},
    {"accept-ranges", "Accept-Ranges"},
    {"berth-offset", "Berth-Offset"},
    {"berth-next", "Berth-Next"},
    {"berth-end", "Berth-End"},
}};

http::Response head_of(const http::ResponseHead& from) {
  http::Response head;
  head.status = from.status;
  head.content_type = std::string(from.field("content-type").value_or(http::kBytesType));
  for (const auto& [lower, name] : kPassed) {
    if (const auto value = from.field(lower)) head.fields.emplace_back(std::string(name), std::string(*value));
  }
  return head;
}

std::optional<std::uint64_t> length_of(const http::ResponseHead& head) {
  const auto text = head.field("content-length");
  std::uint64_t length = 0;
  if (!text) return std::nullopt;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), length);
  return read.ec == std::errc() ? std::optional(length) : std::nullopt;
}

asio::awaitable<void> send_refusal(http::Exchange& exchange, Transfer& transfer) {
  std::string body;
  const Deadline deadline(now() + std::chrono::seconds(10));
  while (body.size() < kMostErrorBody) {
    const auto piece = co_await transfer.read(deadline);
    if (!piece || piece->empty()) break;
    body += *piece;
  }
  Error error = error_of_answer(transfer.head().status, body);
  if (transfer.head().status == 416) error = {"bad_range", "the file does not have these bytes", {}};
  const int status = transfer.head().status < 500 ? transfer.head().status : status_of(error.code);
  co_await send_error_as(exchange, status, std::move(error));
}

}  // namespace

asio::awaitable<void> Api::Impl::send_body(http::Exchange& exchange, Transfer& transfer) {
  if (transfer.head().status >= 300) co_return co_await send_refusal(exchange, transfer);
  const Deadline deadline(now() + kTransferLimit);
  http::Response head = head_of(transfer.head());
  if (!co_await exchange.begin_stream(std::move(head), length_of(transfer.head()))) co_return;
  if (exchange.head().method == "HEAD") co_return;
  while (true) {
    const auto piece = co_await transfer.read(deadline);
    if (!piece) co_return;  // the cut answer tells
    if (piece->empty()) break;
    parts_.metrics.moved_bytes("out", piece->size());
    const auto sent = co_await exchange.write(*piece);
    if (!sent) co_return;
  }
  (void)co_await exchange.end_stream();
}

asio::awaitable<std::unique_ptr<Transfer>> Api::Impl::begin_transfer(Request& request, http::ClientRequest ask,
                                                                     UploadSize upload) {
  auto lease = lease_used(request);
  if (lease) {
    auto wrong = objection(request);
    if (wrong) lease = tl::unexpected(*std::move(wrong));
  }
  if (!lease) {
    co_await send_error(request.exchange, lease.error());
    co_return nullptr;
  }
  ask.target = target_of(request);
  const Deadline turn(now() + kTurnLimit);
  auto transfer = co_await parts_.runtime.transfer(lease->id, std::move(ask), upload, turn);
  if (transfer) co_return *std::move(transfer);
  co_await send_error(request.exchange, transfer.error());
  co_return nullptr;
}

asio::awaitable<void> Api::Impl::get_file(Request& request) {
  const http::RequestHead& head = request.exchange.head();
  http::ClientRequest ask;
  ask.method = head.method;
  if (const auto range = head.field("range")) ask.fields.emplace_back("Range", std::string(*range));
  const auto transfer = co_await begin_transfer(request, std::move(ask), NoUpload{});
  if (transfer) co_await send_body(request.exchange, *transfer);
}

// The body goes on as it comes: the sender is held back by the slot's disk, not by a buffer here.
asio::awaitable<void> Api::Impl::put_file(Request& request) {
  http::Exchange& exchange = request.exchange;
  http::ClientRequest ask;
  ask.method = "PUT";
  ask.content_type = request.asks("tar", "1") ? std::string("application/x-tar") : std::string(http::kBytesType);
  UploadSize size = ChunkedUpload{};
  if (const auto length = exchange.head().content_length) size = *length;
  if (!exchange.head().content_length && !exchange.head().chunked) size = std::uint64_t{0};
  const auto transfer = co_await begin_transfer(request, std::move(ask), size);
  if (!transfer) co_return;
  const Deadline deadline(now() + kTransferLimit);
  std::vector<char> piece(kPiece);
  while (true) {
    const auto count = co_await exchange.read_some(piece);
    // Left in the middle, the slot server sees a cut body and keeps nothing of it.
    if (!count) co_return;
    if (*count == 0) break;
    parts_.metrics.moved_bytes("in", *count);
    const auto sent = co_await transfer->write({piece.data(), *count}, deadline);
    if (!sent) break;
  }
  const auto done = co_await transfer->finish(deadline);
  if (!done) co_return co_await send_error(exchange, done.error());
  co_await send_body(exchange, *transfer);
}

asio::awaitable<void> Api::Impl::delete_file(Request& request) {
  http::ClientRequest ask;
  ask.method = "DELETE";
  const auto transfer = co_await begin_transfer(request, std::move(ask), NoUpload{});
  if (transfer) co_await send_body(request.exchange, *transfer);
}

}  // namespace berth::agent
