// SPDX-License-Identifier: Apache-2.0
// One accepted connection: shakes hands where TLS is spoken, reads heads, calls the handler, keeps the order of
// pipelined requests, ends cleanly.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "base/http/answer.hpp"
#include "base/http/input_buffer.hpp"
#include "base/http/server.hpp"
#include "base/http/wire.hpp"

namespace berth::http {

class ServerExchange;

// What connections share with their server and keep alive.
struct ServerCore {
  asio::io_context& context;
  Handler handler;
  ServerLimits limits;
  std::uint64_t refused = 0;
  bool stopping = false;
  std::size_t held_bodies = 0;  // bytes of bodies that were read whole and whose requests are not over
  DateText date;
  std::uint64_t untold_handshakes = 0;  // that failed; told at intervals, whoever knocks
  TimePoint tell_handshakes_at{};
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `layer`: null where connections are plain.
  Connection(std::shared_ptr<ServerCore> core, std::shared_ptr<Wire> wire, std::unique_ptr<Layer> layer = nullptr);

  // Serves until the connection ends; run once. `self` keeps the object alive as long as the coroutine's frame.
  [[nodiscard]] static asio::awaitable<void> run(std::shared_ptr<Connection> self);

  void cut();      // closes now and cancels the handler
  void release();  // after run() has ended in whatever way
  void retire();   // closes after the answer in progress, or now when there is none
  // Since when it waits for a request's head to be whole; TimePoint::max() while one is being handled.
  [[nodiscard]] TimePoint waits_since() const { return busy_ ? TimePoint::max() : waits_since_; }

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] ServerCore& core() { return *core_; }
  [[nodiscard]] Wire& wire() { return *wire_; }
  [[nodiscard]] InputBuffer& input() { return input_; }
  [[nodiscard]] std::string& scratch() { return out_; }  // for heads of answers: keeps its memory between requests
  [[nodiscard]] asio::cancellation_slot cancellation_slot() { return cancel_.slot(); }

  // Calls `gone` once when the peer hangs up, until stop_watch(). Only while nothing reads from the wire.
  void watch(std::function<void()> gone);
  void stop_watch();

 private:
  [[nodiscard]] asio::awaitable<bool> shake_hands();
  void note_failed_handshake(const Error& problem) const;
  [[nodiscard]] asio::awaitable<bool> serve_one();
  [[nodiscard]] asio::awaitable<Expected<std::optional<RequestHead>>> read_head();
  [[nodiscard]] asio::awaitable<void> refuse(const Error& error);
  [[nodiscard]] asio::awaitable<void> handle(ServerExchange& exchange);
  [[nodiscard]] asio::awaitable<void> end_after_answer();
  void report_exception(const RequestHead& head, const char* what) const;
  void await_hang_up();
  void check_hang_up();
  void check_later();
  void report_hang_up();

  std::shared_ptr<ServerCore> core_;
  std::shared_ptr<Wire> wire_;
  std::unique_ptr<Layer> layer_;  // until the handshake begins
  InputBuffer input_;
  std::string out_;
  std::uint64_t id_;
  bool first_ = true;
  bool busy_ = false;
  TimePoint waits_since_ = now();
  asio::cancellation_signal cancel_;
  asio::cancellation_signal cancel_watch_;
  std::function<void()> gone_;
  bool watching_ = false;          // a wait of the watch is pending
  std::uint64_t watch_epoch_ = 0;  // completions of an earlier watch are stale
  std::optional<asio::steady_timer> peek_timer_;
};

}  // namespace berth::http
