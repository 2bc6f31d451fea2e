// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/http/harness.hpp"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>

namespace berth::http {

bool eventually(const std::function<bool()>& done) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TestServer::TestServer(Handler handler, ServerLimits limits, AcceptLayer layer)
    : server_(std::make_unique<Server>(context_, std::move(handler), limits)) {
  port_ = server_->listen("127.0.0.1", 0, std::move(layer)).value();
  static_cast<void>(server_->listen("unix:" + unix_path(), 0).value());
  thread_ = std::thread([this] { context_.run(); });
}

TestServer::~TestServer() {
  boost::asio::post(context_, [this] { server_.reset(); });
  thread_.join();  // run() returns only when no coroutine is left
}

void TestServer::on_thread(const std::function<void()>& work) {
  std::promise<void> done;
  boost::asio::post(context_, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

std::size_t TestServer::connections() {
  std::size_t count = 0;
  on_thread([&] { count = server_->connections(); });
  return count;
}

std::uint64_t TestServer::refused() {
  std::uint64_t count = 0;
  on_thread([&] { count = server_->refused(); });
  return count;
}

RawClient::RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
}

RawClient::RawClient(const std::string& unix_path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void RawClient::send_apart(std::string_view bytes) {
  send(bytes);
  const bool taken = eventually([&] {
    int unread = 0;
    return ::ioctl(fd_.get(), SIOCOUTQ, &unread) != 0 || unread == 0;
  });
  EXPECT_TRUE(taken) << "the server does not read";
}

void RawClient::shut_sending() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void RawClient::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

bool RawClient::receive() {
  pollfd ready{fd_.get(), POLLIN, 0};
  const int timeout = static_cast<int>(std::chrono::milliseconds(kPatience).count());
  if (::poll(&ready, 1, timeout) <= 0) {
    ADD_FAILURE() << "nothing came within the patience of the test; so far: " << received_;
    return false;
  }
  char block[65536];
  const ssize_t count = ::recv(fd_.get(), block, sizeof block, 0);
  if (count <= 0) return false;
  received_.append(block, static_cast<std::size_t>(count));
  return true;
}

std::string RawClient::read_answer(bool head_only) {
  std::size_t end = std::string::npos;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!receive()) return std::exchange(received_, {});
  }
  std::size_t total = end + 4;
  const std::string head = received_.substr(0, total);
  if (const std::size_t at = head.find("Content-Length: "); at != std::string::npos && !head_only) {
    total += std::strtoul(head.c_str() + at + 16, nullptr, 10);
    while (received_.size() < total && receive()) {
    }
  } else if (head.find("Transfer-Encoding: chunked") != std::string::npos && !head_only) {
    std::size_t last = std::string::npos;
    while ((last = received_.find("0\r\n\r\n", end)) == std::string::npos && receive()) {
    }
    total = last == std::string::npos ? received_.size() : last + 5;
  }
  std::string answer = received_.substr(0, total);
  received_.erase(0, answer.size());
  return answer;
}

std::string RawClient::read_to_end() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

bool RawClient::is_closed_by_server() {
  pollfd ready{fd_.get(), POLLIN, 0};
  const int timeout = static_cast<int>(std::chrono::milliseconds(kPatience).count());
  if (::poll(&ready, 1, timeout) <= 0) return false;
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, 0) <= 0;
}

int status_of(std::string_view answer) {
  int status = 0;
  if (answer.starts_with("HTTP/1.1 ") && answer.size() > 12) {
    std::from_chars(answer.data() + 9, answer.data() + 12, status);
  }
  return status;
}

std::string body_of(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string() : std::string(answer.substr(end + 4));
}

std::string request(std::string_view line, std::string_view extra, std::string_view body) {
  std::string text(line);
  text.append(" HTTP/1.1\r\nHost: berth\r\n").append(extra).append("\r\n").append(body);
  return text;
}

Response reply(std::string body, int status) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

boost::asio::awaitable<void> echo(Exchange& exchange) {
  const Expected<std::string> body = co_await exchange.read_body(std::size_t{1} << 20);
  if (!body) co_return;
  const RequestHead& head = exchange.head();
  Response response;
  response.content_type = kTextType;
  response.body = head.method + " " + head.path + "?" + head.query + " " + std::to_string(body->size());
  static_cast<void>(co_await exchange.respond(std::move(response)));
}

}  // namespace berth::http
