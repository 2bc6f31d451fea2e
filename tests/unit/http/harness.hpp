// SPDX-License-Identifier: Apache-2.0
// A server on a thread of its own and a raw client that sends exactly the bytes it is told to.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/fd.hpp"
#include "base/http/server.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::http {

// The longest any test waits for something that must happen.
inline constexpr std::chrono::seconds kPatience{20};

// True as soon as `done` is; false after kPatience.
bool eventually(const std::function<bool()>& done);

using TemporaryDirectory = berth::testing::TempDir;

// Runs its io_context on a thread until it is destroyed. Listens on loopback (with `layer` over TLS) and on a unix
// socket.
class TestServer {
 public:
  explicit TestServer(Handler handler, ServerLimits limits = {}, AcceptLayer layer = {});
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string unix_path() const { return directory_.path() + "/sock"; }
  [[nodiscard]] Server& server() { return *server_; }
  // Runs `work` on the server's thread and waits for it.
  void on_thread(const std::function<void()>& work);
  [[nodiscard]] std::size_t connections();
  [[nodiscard]] std::uint64_t refused();

 private:
  TemporaryDirectory directory_;
  boost::asio::io_context context_{1};
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// Blocking socket with a deadline on each receive.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  explicit RawClient(const std::string& unix_path);

  // False when the server closed before it took all.
  bool send(std::string_view bytes);
  // Sends and waits until the server has received it (unix sockets only): what is sent next arrives on its own.
  void send_apart(std::string_view bytes);
  void shut_sending();
  void close() { fd_.reset(); }
  void reset();  // closes with RST

  // Whole answers, one after the other: head and, by its Content-Length or chunks, the body still framed as sent.
  [[nodiscard]] std::string read_answer(bool head_only = false);
  // Receives once, to be given out by the next read.
  void take_part() { static_cast<void>(receive()); }
  // Everything until the server closes; nothing more may come after kPatience.
  [[nodiscard]] std::string read_to_end();
  [[nodiscard]] bool is_closed_by_server();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] bool receive();

  UniqueFd fd_;
  std::string received_;
};

// "HTTP/1.1 400 ..." -> 400; 0 when there is none.
int status_of(std::string_view answer);
std::string body_of(std::string_view answer);

// A minimal request with extra header lines (each with CRLF) and a body as it is.
std::string request(std::string_view line, std::string_view extra = {}, std::string_view body = {});

Response reply(std::string body, int status = 200);

// Answers "METHOD path?query length-of-body" after reading the body.
boost::asio::awaitable<void> echo(Exchange& exchange);

}  // namespace berth::http
