// SPDX-License-Identifier: Apache-2.0
#include "tests/support/raw_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.hpp"

namespace berth::testing {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

RawRequest parse_head(const std::string& head) {
  RawRequest request;
  const auto space = head.find(' ');
  request.method = head.substr(0, space);
  request.target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
  for (auto at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    const auto colon = head.find(": ", at);
    const auto end = head.find("\r\n", at + 2);
    if (colon == std::string::npos || end == std::string::npos || colon > end) continue;
    request.fields[lower(head.substr(at + 2, colon - at - 2))] = head.substr(colon + 2, end - colon - 2);
  }
  return request;
}

// The next request on a connection; nothing at its end. Bytes beyond it stay in `input`.
std::optional<RawRequest> read_request(int fd, std::string& input) {
  const auto more = [fd, &input] {
    char block[65536];
    const auto got = ::recv(fd, block, sizeof block, 0);
    if (got > 0) input.append(block, static_cast<std::size_t>(got));
    return got > 0;
  };
  std::size_t end = 0;
  while ((end = input.find("\r\n\r\n")) == std::string::npos)
    if (!more()) return std::nullopt;
  RawRequest request = parse_head(input.substr(0, end + 2));
  const std::size_t length =
      request.fields.contains("content-length") ? std::stoul(request.fields["content-length"]) : 0;
  while (input.size() < end + 4 + length)
    if (!more()) return std::nullopt;
  request.body = input.substr(end + 4, length);
  input.erase(0, end + 4 + length);
  return request;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

RawServer::RawServer(Script script, std::string boot_id) : script_(std::move(script)), boot_id_(std::move(boot_id)) {
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_.get(), 64), 0);
  EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

RawServer::~RawServer() {
  deaf_ = false;
  deaf_.notify_all();
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (const UniqueFd& peer : peers_) ::shutdown(peer.get(), SHUT_RDWR);
  for (std::thread& thread : threads_) thread.join();
}

void RawServer::accept_all() {
  while (true) {
    UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) return;
    ++connections_;
    const int fd = peer.get();
    peers_.push_back(std::move(peer));
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void RawServer::serve(int fd) {
  std::string input;
  while (const auto request = read_request(fd, input)) {
    const RawReply what = reply(*request);
    bool open = send_all(fd, what.bytes) && !what.bytes.empty();
    while (open && !what.endless.empty()) open = send_all(fd, what.endless);
    char byte = 0;
    if (what.then == RawReply::Then::hang) open = ::recv(fd, &byte, 1, 0) > 0;
    deaf_.wait(true);
    if (!open || what.then != RawReply::Then::next) break;
  }
  ::shutdown(fd, SHUT_RDWR);
}

RawReply RawServer::reply(const RawRequest& request) {
  const std::lock_guard lock(mutex_);
  if (request.target == "/health" && !health_scripted_)
    return answer(200, R"({"status": "ok", "slots": 4, "boot_id": ")" + boot_id_ + "\"}");
  seen_.push_back(request);
  return script_(request, seen_.size() - 1);
}

std::vector<RawRequest> RawServer::requests() {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void RawServer::set_boot(const std::string& boot_id) {
  const std::lock_guard lock(mutex_);
  boot_id_ = boot_id;
}

RawReply answer(int status, const std::string& body, const std::string& type) {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type +
              "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
          {},
          RawReply::Then::next};
}

RawReply lines(const std::string& body) {
  return answer(200, body, "application/x-ndjson; charset=utf-8");
}

RawReply cut() {
  return {};
}

RawReply hang() {
  return {{}, {}, RawReply::Then::hang};
}

std::vector<std::string> ids_of(const RawRequest& request) {
  const auto body = parse_json(request.body);
  EXPECT_TRUE(body.has_value()) << request.body;
  if (!body) return {};
  std::vector<std::string> ids;
  const Json calls = body->is_array() ? *body : Json::array({*body});
  for (const Json& call : calls) ids.push_back(call.at("execution_id").get<std::string>());
  return ids;
}

std::string result_json(const std::string& id, const std::string& output) {
  return dump_json(Json{{"success", true},
                        {"output", output},
                        {"error", ""},
                        {"execution_id", id},
                        {"metadata", {{"cause", "exit"}, {"exit_code", 0}}}});
}

std::string result_line(std::size_t index, const std::string& id, const std::string& output) {
  std::string text = result_json(id, output);
  text.pop_back();
  return text + R"(,"type":"result","index":)" + std::to_string(index) + "}\n";
}

std::string end_line(std::size_t results) {
  return R"({"type":"end","results":)" + std::to_string(results) + "}\n";
}

}  // namespace berth::testing
