// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server both programs use: one coroutine a connection on one io_context (single-threaded; no locks).
//
// A handler is called after the head has passed the gate and before the body is read, so that it can refuse without
// reading. It must send exactly one answer through the Exchange: respond(), or begin_stream() .. write() ..
// end_stream(). If it returns without one, the server answers: 500, or the status of the body error it ran into
// (gate_status() gives it). Body bytes that the handler left are drained up to 64 KiB, beyond that the connection
// closes.
//
// g++ 12 destroys aggregate temporaries of a co_await expression twice: give a Response a name, then move it in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/http/gate.hpp"
#include "base/http/layer.hpp"
#include "base/http/message.hpp"
#include "berth/error.hpp"

namespace berth::http {

namespace asio = boost::asio;

// One request and its answer. Lives on the connection's coroutine frame; not to be kept after the handler returns.
class Exchange {
 public:
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const RequestHead& head() const = 0;
  // Unique within the process and never reused.
  [[nodiscard]] virtual std::uint64_t connection_id() const = 0;

  // The whole body. Errors: "body_too_large" (the handler should answer 413; the connection then closes), "bad_request"
  // (broken chunking), "too_large" (trailers over 8 KiB), "disconnected", "too_slow", "busy" (bodies that others send
  // fill the memory for them; small ones always pass).
  [[nodiscard]] virtual asio::awaitable<Expected<std::string>> read_body(std::size_t max_bytes) = 0;
  // The handler keeps nothing of what read_body() gave it any more: its memory is others' to use.
  virtual void body_used() {}
  // The next part of the body into `buffer`; 0 at its end. Same errors but body_too_large, busy.
  [[nodiscard]] virtual asio::awaitable<Expected<std::size_t>> read_some(std::span<char> buffer) = 0;

  // A whole answer. HEAD requests send the head alone. Errors: "disconnected", "too_slow".
  [[nodiscard]] virtual asio::awaitable<Expected<void>> respond(Response response) = 0;
  // A streamed answer: chunked, or with a length when it is known. Extra header fields come from `head.fields`.
  [[nodiscard]] virtual asio::awaitable<Expected<void>> begin_stream(Response head,
                                                                     std::optional<std::uint64_t> length = {}) = 0;
  [[nodiscard]] virtual asio::awaitable<Expected<void>> write(std::string_view data) = 0;
  // `last` goes out in one piece with the end: the peer wakes up once for both.
  [[nodiscard]] virtual asio::awaitable<Expected<void>> end_stream(std::string_view last = {}) = 0;

  // `callback` runs once, on the io_context, when the peer closes or resets while the handler is still at work (bytes
  // of a pipelined next request are left alone). The watch begins when the body has been read to its end; before that,
  // reading it reports the hang-up and calls back. Replaces an earlier callback; dropped when the handler returns.
  virtual void on_disconnect(std::function<void()> callback) = 0;
};

using Handler = std::function<asio::awaitable<void>(Exchange&)>;

struct ServerLimits {
  HeadLimits head;
  // From the first byte of a head to its end; from accepting a connection to the end of its first head, TLS included.
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds idle_timeout{120'000};  // between two requests of a connection
  std::chrono::milliseconds write_stall{30'000};    // a reader that takes nothing for so long is cut
  std::size_t body_bytes_per_second = 1024;         // least rate of a body while it is being read, after the grace
  std::chrono::milliseconds body_grace{10'000};
  std::chrono::milliseconds body_stall{30'000};      // one that sends nothing of its body for so long is cut
  std::size_t body_memory = std::size_t{256} << 20;  // of bodies read whole, all connections together
  std::size_t max_connections = 4096;                // beyond: the longest idle ones go, or accept waits
  std::chrono::milliseconds idle_when_full{1'000};   // younger ones are not taken for idle then
};

// Listens on any number of endpoints. stop() (or destruction) closes them. Destruction also cuts every connection and
// cancels its handler; the handlers' coroutine frames end when the io_context next runs or is destroyed, so what a
// handler refers to must outlive that.
class Server {
 public:
  Server(asio::io_context& context, Handler handler, ServerLimits limits = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "127.0.0.1" + port (0: any free one), or "unix:PATH" (port ignored; a stale socket file is replaced, mode 0600).
  // Returns the bound port (0 for unix). Errors say the address. With `layer` every connection speaks TLS.
  [[nodiscard]] Expected<std::uint16_t> listen(const std::string& address, std::uint16_t port, AcceptLayer layer = {});

  // Graceful: no new connections or requests; those being handled may finish. `when_idle` runs once none is left.
  void stop(std::function<void()> when_idle);
  // Cuts every connection now.
  void abort();

  [[nodiscard]] std::size_t connections() const;
  // Requests refused by the gate and handshakes that failed since the start, for metrics.
  [[nodiscard]] std::uint64_t refused() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace berth::http
