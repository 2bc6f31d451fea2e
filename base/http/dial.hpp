// SPDX-License-Identifier: Apache-2.0
// Connects to an Address: name lookup, each address in turn, the handshake of TLS, all within one deadline.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "base/http/client.hpp"
#include "base/http/wire.hpp"

namespace berth::http {

class Dial : public std::enable_shared_from_this<Dial> {
 public:
  explicit Dial(asio::io_context& context) : context_(context), resolver_(context), patience_(context) {}

  // Run once, on an object made by make_shared. Errors: "connect", "tls", "timeout".
  [[nodiscard]] static asio::awaitable<Expected<std::shared_ptr<Wire>>> run(std::shared_ptr<Dial> self, Address address,
                                                                            Deadline deadline);
  // Makes run() fail soon.
  void cancel();

 private:
  using Endpoints = std::vector<asio::generic::stream_protocol::endpoint>;

  [[nodiscard]] asio::awaitable<Expected<Endpoints>> find(const Address& address, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<Endpoints>> look_up(const Address& address, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<std::shared_ptr<Wire>>> reach(const Endpoints::value_type& endpoint,
                                                                       Deadline deadline);

  [[nodiscard]] asio::awaitable<Expected<std::shared_ptr<Wire>>> secure(const Address& address, Deadline deadline);

  asio::io_context& context_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer patience_;
  std::shared_ptr<Wire> wire_;
  bool cancelled_ = false;
};

// "unix:PATH" or "host:port", for messages and the Host field.
[[nodiscard]] std::string host_text(const Address& address);

}  // namespace berth::http
