// SPDX-License-Identifier: Apache-2.0
// /v1/inputs/sha256:HEX: tars that jobs name as inputs. They come in once, and go nowhere but into slots.
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/api/impl.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kInputPiece = std::size_t{256} << 10;

Error bad_digest() {
  return {"bad_request", "an input is named sha256: and 64 lower-case hex digits", "it is the digest of the tar"};
}

std::string input_json(const std::string& digest, std::uint64_t bytes) {
  return dump_json(Json{{"input", "sha256:" + digest}, {"bytes", bytes}});
}

// Nobody reads the answer to a peer that has gone; it is no failure of ours.
int status_of_upload(const Error& error) {
  return error.code == "disconnected" ? 400 : status_of(error.code);
}

Error too_large_input(std::uint64_t most) {
  return {"body_too_large", "the input is larger than " + std::to_string(most) + " bytes",
          "leave out what the slots do not need"};
}

}  // namespace

asio::awaitable<void> Api::Impl::get_input(Request& request) {
  const auto digest = input_digest(request.params[0]);
  Error bad = bad_digest();
  if (!digest) co_return co_await send_error(request.exchange, std::move(bad));
  Error unknown{"unknown_input", "the agent has no input " + request.params[0], "PUT it there"};
  const auto bytes = parts_.inputs.size(*digest);
  if (!bytes) co_return co_await send_error(request.exchange, std::move(unknown));
  parts_.inputs.touch(*digest, now());
  co_await send_json(request.exchange, 200, input_json(*digest, *bytes));
}

asio::awaitable<void> Api::Impl::put_input(Request& request) {
  http::Exchange& exchange = request.exchange;
  const auto digest = input_digest(request.params[0]);
  Error bad = bad_digest();
  if (!digest) co_return co_await send_error(exchange, std::move(bad));
  const auto there = parts_.inputs.size(*digest);
  parts_.inputs.touch(*digest, now());
  if (there) co_return co_await send_json(exchange, 200, input_json(*digest, *there));
  Error stopping{"agent_stopping", "the agent is stopping", "ask again when it is back"};
  if (draining_) co_return co_await send_error(exchange, std::move(stopping));
  const auto bytes = co_await take_input(exchange, *digest);
  if (bytes) co_return co_await send_json(exchange, 201, input_json(*digest, *bytes));
  const int status = status_of_upload(bytes.error());
  co_await send_error_as(exchange, status, bytes.error());
}

asio::awaitable<Expected<std::uint64_t>> Api::Impl::take_input(http::Exchange& exchange, std::string digest) {
  const std::uint64_t most = parts_.inputs.limits().bytes;
  if (exchange.head().content_length.value_or(0) > most) co_return tl::unexpected(too_large_input(most));
  auto upload = parts_.inputs.begin(digest);
  if (!upload) co_return tl::unexpected(upload.error());
  std::vector<char> piece(kInputPiece);
  while (true) {
    const auto count = co_await exchange.read_some(piece);
    if (!count) co_return tl::unexpected(count.error());
    if (*count == 0) co_return (*upload)->commit(now());
    std::string bytes(piece.data(), *count);
    const auto written = co_await (*upload)->write(std::move(bytes));
    if (!written) co_return tl::unexpected(written.error());
  }
}

}  // namespace berth::agent
