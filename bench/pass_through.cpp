// SPDX-License-Identifier: Apache-2.0
#include "bench/pass_through.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <thread>

namespace berth::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> copy(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to) {
  std::array<char, 65536> block;
  while (true) {
    const auto [read_error, count] = co_await from->async_read_some(asio::buffer(block), kAwait);
    if (read_error) break;
    const auto [write_error, written] = co_await asio::async_write(*to, asio::buffer(block, count), kAwait);
    if (write_error) break;
  }
  boost::system::error_code ignored;
  to->shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace

class PassThrough::Impl {
 public:
  explicit Impl(std::uint16_t upstream)
      : upstream_(asio::ip::address_v4::loopback(), upstream),
        acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
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
      auto near = std::make_shared<tcp::socket>(context_);
      const auto [error] = co_await acceptor_.async_accept(*near, kAwait);
      if (error) co_return;
      auto far = std::make_shared<tcp::socket>(context_);
      const auto [connect_error] = co_await far->async_connect(upstream_, kAwait);
      if (connect_error) continue;
      near->set_option(tcp::no_delay(true));
      far->set_option(tcp::no_delay(true));
      asio::co_spawn(context_, copy(near, far), asio::detached);
      asio::co_spawn(context_, copy(far, near), asio::detached);
    }
  }

  asio::io_context context_{1};
  tcp::endpoint upstream_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

PassThrough::PassThrough(std::uint16_t upstream_port) : impl_(std::make_unique<Impl>(upstream_port)) {}
PassThrough::~PassThrough() = default;
std::uint16_t PassThrough::port() const {
  return impl_->port();
}

}  // namespace berth::bench
