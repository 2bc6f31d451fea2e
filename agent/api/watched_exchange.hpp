// SPDX-License-Identifier: Apache-2.0
// An exchange whose answer's status is remembered. Private to agent/api.
#pragma once

#include <utility>

#include "base/http/server.hpp"

namespace berth::agent {

class WatchedExchange final : public http::Exchange {
 public:
  explicit WatchedExchange(http::Exchange& inner) : inner_(inner) {}

  [[nodiscard]] int status() const { return status_; }  // 0: none was begun

  [[nodiscard]] const http::RequestHead& head() const override { return inner_.head(); }
  [[nodiscard]] std::uint64_t connection_id() const override { return inner_.connection_id(); }
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> read_body(std::size_t max_bytes) override {
    return inner_.read_body(max_bytes);
  }
  void body_used() override { inner_.body_used(); }
  [[nodiscard]] boost::asio::awaitable<Expected<std::size_t>> read_some(std::span<char> buffer) override {
    return inner_.read_some(buffer);
  }
  [[nodiscard]] boost::asio::awaitable<Expected<void>> respond(http::Response response) override {
    status_ = response.status;
    return inner_.respond(std::move(response));
  }
  [[nodiscard]] boost::asio::awaitable<Expected<void>> begin_stream(http::Response head,
                                                                    std::optional<std::uint64_t> length) override {
    status_ = head.status;
    return inner_.begin_stream(std::move(head), length);
  }
  [[nodiscard]] boost::asio::awaitable<Expected<void>> write(std::string_view data) override {
    return inner_.write(data);
  }
  [[nodiscard]] boost::asio::awaitable<Expected<void>> end_stream(std::string_view last) override {
    return inner_.end_stream(last);
  }
  void on_disconnect(std::function<void()> callback) override { inner_.on_disconnect(std::move(callback)); }

 private:
  http::Exchange& inner_;
  int status_ = 0;
};

}  // namespace berth::agent
