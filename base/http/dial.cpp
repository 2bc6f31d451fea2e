// SPDX-License-Identifier: Apache-2.0
#include "base/http/dial.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <optional>

#include "base/http/await.hpp"

namespace berth::http {
namespace {

using asio::ip::tcp;
// Who answers in TLS answers at once, however long the caller would wait for what it asks.
constexpr Duration kHandshakeTime = std::chrono::seconds(10);

tl::unexpected<Error> no_connection(const std::string& why) {
  return fail("connect", why, "check that the server runs and listens there");
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

asio::awaitable<Expected<std::shared_ptr<Wire>>> Dial::run(std::shared_ptr<Dial> self, Address address,
                                                           Deadline deadline) {
  const Expected<Endpoints> endpoints = co_await self->find(address, deadline);
  if (!endpoints) co_return tl::unexpected(endpoints.error().within(host_text(address)));
  Error last{"connect", "no address found", {}};
  for (const auto& endpoint : *endpoints) {
    Expected<std::shared_ptr<Wire>> wire = co_await self->reach(endpoint, deadline);
    if (wire && address.layer) wire = co_await self->secure(address, deadline);
    if (wire) co_return wire;
    if (self->wire_) self->wire_->close();  // its timer would hold the socket until the deadline
    last = wire.error();
    if (last.code == "timeout" || last.code == "tls" || self->cancelled_) break;
  }
  co_return tl::unexpected(last.within(host_text(address)));
}

void Dial::cancel() {
  cancelled_ = true;
  resolver_.cancel();
  patience_.cancel();
  if (wire_) wire_->close();
}

asio::awaitable<Expected<Dial::Endpoints>> Dial::find(const Address& address, Deadline deadline) {
  if (!address.unix_path.empty()) co_return Endpoints{asio::local::stream_protocol::endpoint(address.unix_path)};
  boost::system::error_code error;
  const asio::ip::address literal = asio::ip::make_address(address.host, error);
  if (!error) co_return Endpoints{tcp::endpoint(literal, address.port)};
  co_return co_await look_up(address, deadline);
}

// A lookup runs in a thread of the system's resolver and cannot be stopped; past the deadline its answer is dropped.
asio::awaitable<Expected<Dial::Endpoints>> Dial::look_up(const Address& address, Deadline deadline) {
  struct Outcome {
    bool arrived = false;
    boost::system::error_code error;
    Endpoints endpoints;
  };
  const auto outcome = std::make_shared<Outcome>();
  patience_.expires_at(deadline.at());
  resolver_.async_resolve(address.host, std::to_string(address.port),
                          [outcome, self = shared_from_this()](const auto& error, const auto& results) {
                            outcome->arrived = true;
                            outcome->error = error;
                            for (const auto& result : results) outcome->endpoints.push_back(result.endpoint());
                            self->patience_.cancel();
                          });
  co_await patience_.async_wait(kAwait);
  if (cancelled_) co_return no_connection("cancelled");
  if (!outcome->arrived) co_return fail("timeout", "the name lookup took too long");
  if (outcome->error) co_return no_connection(outcome->error.message());
  co_return std::move(outcome->endpoints);
}

asio::awaitable<Expected<std::shared_ptr<Wire>>> Dial::reach(const Endpoints::value_type& endpoint, Deadline deadline) {
  const int family = endpoint.protocol().family();
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) co_return no_connection(errno_error("socket", errno).message);
  const int on = 1;
  if (family != AF_UNIX) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int started = ::connect(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size()));
  if (started != 0 && errno != EINPROGRESS) co_return no_connection(errno_error("connect", errno).message);

  wire_ = std::make_shared<Wire>(context_);
  if (!wire_->adopt(std::move(fd), family)) co_return no_connection("the socket cannot be watched");
  if (started == 0) co_return wire_;
  const IoResult connected = co_await wire_->await_connected(deadline);
  if (cancelled_) co_return no_connection("cancelled");
  if (connected.status == IoStatus::timed_out) co_return fail("timeout", "no connection in time");
  if (connected.status != IoStatus::done) co_return no_connection("interrupted");
  if (const int error = pending_error(wire_->fd()); error != 0) {
    co_return no_connection(errno_error("connect", error).message);
  }
  co_return wire_;
}

asio::awaitable<Expected<std::shared_ptr<Wire>>> Dial::secure(const Address& address, Deadline deadline) {
  std::unique_ptr<Layer> layer = address.layer(wire_->fd(), address.host);
  if (!layer) co_return no_connection("no memory for TLS");
  const Deadline until = deadline.earlier(Deadline(now() + kHandshakeTime));
  const Expected<void> done = co_await wire_->shake_hands(std::move(layer), until);
  if (done) co_return wire_;
  if (cancelled_) co_return no_connection("cancelled");
  const Error& problem = done.error();
  if (problem.code == "plain")
    co_return fail("tls", "the server there speaks no TLS", "write http:// where TLS is not wanted");
  if (problem.code == "timeout") co_return fail("timeout", problem.message, "does the server there speak TLS?");
  if (problem.code == "disconnected") co_return fail("connect", problem.message, "does the server there speak TLS?");
  co_return fail("tls", problem.message, problem.hint);
}

std::string host_text(const Address& address) {
  if (!address.unix_path.empty()) return "unix:" + address.unix_path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace berth::http
