// SPDX-License-Identifier: Apache-2.0
// The server's side of one request: its body in, its one answer out.
#pragma once

#include <string>

#include "base/http/body.hpp"
#include "base/http/connection.hpp"
#include "base/http/server.hpp"

namespace berth::http {

class ServerExchange final : public Exchange {
 public:
  ServerExchange(Connection& connection, RequestHead head);
  ~ServerExchange() override;

  [[nodiscard]] const RequestHead& head() const override { return head_; }
  [[nodiscard]] std::uint64_t connection_id() const override { return connection_.id(); }
  [[nodiscard]] asio::awaitable<Expected<std::string>> read_body(std::size_t max_bytes) override;
  void body_used() override;
  [[nodiscard]] asio::awaitable<Expected<std::size_t>> read_some(std::span<char> buffer) override;
  [[nodiscard]] asio::awaitable<Expected<void>> respond(Response response) override;
  [[nodiscard]] asio::awaitable<Expected<void>> begin_stream(Response head,
                                                             std::optional<std::uint64_t> length) override;
  [[nodiscard]] asio::awaitable<Expected<void>> write(std::string_view data) override;
  [[nodiscard]] asio::awaitable<Expected<void>> end_stream(std::string_view last) override;
  void on_disconnect(std::function<void()> callback) override;

  // For the connection, after the handler: an answer when it gave none.
  [[nodiscard]] asio::awaitable<void> ensure_answer();
  // Reads what is left of a small body; true when the connection can serve another request.
  [[nodiscard]] asio::awaitable<bool> finish();
  // The answer was sent whole and the peer may still be sending: close without a reset.
  [[nodiscard]] bool answered() const { return state_ == State::ended; }

 private:
  enum class State { open, streaming, ended, cut };

  [[nodiscard]] asio::awaitable<Expected<std::size_t>> receive(std::span<char> buffer);
  [[nodiscard]] asio::awaitable<Expected<void>> allow_body();
  [[nodiscard]] Deadline body_deadline(TimePoint now) const;
  [[nodiscard]] tl::unexpected<Error> body_failed(Error error);
  [[nodiscard]] asio::awaitable<Expected<void>> send(std::span<iovec> parts);
  [[nodiscard]] asio::awaitable<Expected<void>> send_head(const Response& head, std::optional<std::uint64_t> length,
                                                          std::string_view body);
  // Notes that so many bytes of the answer are to go out; refuses what the announced length does not allow.
  [[nodiscard]] Expected<void> count(std::size_t bytes, bool at_end);
  [[nodiscard]] asio::awaitable<Expected<void>> send_data(std::string_view data, std::string_view end);
  // Counts a whole body's memory until the exchange ends; false when there is none left for it.
  [[nodiscard]] bool hold_body(std::size_t bytes);
  void watch_if_ready();

  Connection& connection_;
  RequestHead head_;
  Body body_;
  State state_ = State::open;
  bool awaits_continue_;
  bool keep_alive_;
  bool chunked_answer_ = false;
  bool bodyless_ = false;  // HEAD, 204, 304: what is written goes nowhere
  std::optional<std::uint64_t> answer_left_;
  std::optional<Error> body_error_;
  std::uint64_t body_received_ = 0;
  std::size_t body_held_ = 0;  // counted in the core's held_bodies
  Duration body_waited_{};
  std::function<void()> gone_;
};

}  // namespace berth::http
