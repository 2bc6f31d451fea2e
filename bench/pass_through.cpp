// SPDX-License-Identifier: Apache-2.0
#include "bench/pass_through.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <thread>

namespace berth::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Socket = asio::generic::stream_protocol::socket;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

asio::generic::stream_protocol::endpoint address_of(const Endpoint& upstream) {
  if (upstream.unix_path.empty()) return tcp::endpoint(asio::ip::address_v4::loopback(), upstream.port);
  return asio::local::stream_protocol::endpoint(upstream.unix_path);
}

void send_at_once(Socket& socket) {
  boost::system::error_code not_tcp;
  socket.set_option(tcp::no_delay(true), not_tcp);
}

asio::awaitable<void> copy(std::shared_ptr<Socket> from, std::shared_ptr<Socket> to) {
  std::array<char, 65536> block;
  while (true) {
    const auto [read_error, count] = co_await from->async_read_some(asio::buffer(block), kAwait);
    if (read_error) break;
    const auto [write_error, written] = co_await asio::async_write(*to, asio::buffer(block, count), kAwait);
    if (write_error) break;
  }
  boost::system::error_code ignored;
  to->shutdown(Socket::shutdown_send, ignored);
}

}  // namespace

class PassThrough::Impl {
 public:
  explicit Impl(const Endpoint& upstream)
      : upstream_(address_of(upstream)), acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Impl() {
    context_.stop();
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  asio::awaitable<void> accept() {
    while (true) {
      tcp::socket caller(context_);
      const auto [error] = co_await acceptor_.async_accept(caller, kAwait);
      if (error) co_return;
      auto near = std::make_shared<Socket>(std::move(caller));
      auto far = std::make_shared<Socket>(context_);
      const auto [connect_error] = co_await far->async_connect(upstream_, kAwait);
      if (connect_error) continue;
      send_at_once(*near);
      send_at_once(*far);
      asio::co_spawn(context_, copy(near, far), asio::detached);
      asio::co_spawn(context_, copy(far, near), asio::detached);
    }
  }

  asio::io_context context_{1};
  asio::generic::stream_protocol::endpoint upstream_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

PassThrough::PassThrough(const Endpoint& upstream) : impl_(std::make_unique<Impl>(upstream)) {}
PassThrough::~PassThrough() = default;
std::uint16_t PassThrough::port() const {
  return impl_->port();
}

}  // namespace berth::bench
