// SPDX-License-Identifier: Apache-2.0
// One connection that a program of the slot made to its proxy: its requests, each judged by itself, and what they are
// connected to. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/http/dial.hpp"
#include "base/http/input_buffer.hpp"
#include "base/http/response_head.hpp"
#include "base/http/wire.hpp"
#include "slotd/proxy/gate.hpp"
#include "slotd/proxy/lookup.hpp"
#include "slotd/proxy/request.hpp"

namespace berth::slotd::proxy {

class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(std::shared_ptr<Gate> gate, std::shared_ptr<TrafficBook> book);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // False when the socket cannot be watched.
  [[nodiscard]] bool adopt(UniqueFd client);
  // Runs once, when nothing of the conversation is open any more.
  void on_over(std::function<void()> callback) { over_ = std::move(callback); }
  [[nodiscard]] static asio::awaitable<void> run(std::shared_ptr<Conversation> self);
  // Closes both sides at once; run() ends soon. Harmless when repeated.
  void cut();

 private:
  struct Refusal {
    int status = 403;
    std::string_view reason;  // for programs: "not_listed", "address", "name", "connect", "timeout", "malformed"
    std::string words;
  };
  template <typename T>
  using OrRefusal = tl::expected<T, Refusal>;

  // conversation.cpp
  [[nodiscard]] asio::awaitable<OrRefusal<std::string>> read_head(bool first);
  [[nodiscard]] asio::awaitable<bool> serve_one(std::string head);
  [[nodiscard]] asio::awaitable<void> refuse(Refusal refusal, std::string destination);
  [[nodiscard]] asio::awaitable<void> linger();
  [[nodiscard]] asio::awaitable<OrRefusal<void>> reach(const HostPort& destination);
  [[nodiscard]] asio::awaitable<OrRefusal<std::vector<Address>>> find(const HostPort& destination);
  [[nodiscard]] asio::awaitable<bool> connect_to(const std::vector<Address>& addresses, std::uint16_t port);

  // conversation_relay.cpp
  [[nodiscard]] asio::awaitable<void> tunnel();
  [[nodiscard]] asio::awaitable<bool> exchange(ProxyRequest request);
  [[nodiscard]] asio::awaitable<Expected<http::ParsedResponse>> read_answer_head(http::InputBuffer& input,
                                                                                 bool head_request);
  [[nodiscard]] asio::awaitable<bool> pump(http::Wire& from, http::Wire& to, bool outwards);
  [[nodiscard]] asio::awaitable<bool> send_body(http::Wire& from, http::InputBuffer& input, http::Body body,
                                                http::Wire& to, bool chunked, bool outwards);
  [[nodiscard]] asio::awaitable<bool> send(http::Wire& to, std::string_view text, bool outwards);
  void count(const Traffic& more);
  void moved(std::size_t bytes, bool outwards);
  void watch_idle();
  void watch_client();
  void stir() { idle_since_ = now(); }

  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<TrafficBook> book_;
  std::function<void()> over_;
  std::shared_ptr<http::Wire> client_;
  std::shared_ptr<http::Wire> far_;
  std::shared_ptr<Lookup> lookup_;
  std::shared_ptr<http::Dial> dial_;
  http::InputBuffer input_;  // from the client
  asio::steady_timer idle_timer_;
  TimePoint idle_since_{};
  Duration idle_limit_{};
  std::uint64_t turn_ = 0;   // counts exchanges
  std::string destination_;  // of the request in hand, for the counts
  std::size_t pattern_ = 0;
  bool counted_in_ = false;
  bool cut_ = false;
};

}  // namespace berth::slotd::proxy
