// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/http/client.hpp"
#include "base/http/dial.hpp"
#include "base/http/input_buffer.hpp"
#include "base/http/line_buffer.hpp"
#include "base/http/response_head.hpp"
#include "base/http/syntax.hpp"

namespace berth::http {

// A request's head with the given framing fields; "protocol" when a part of it would not stay on its line.
[[nodiscard]] Expected<std::string> format_head(const ClientRequest& request, const Address& address,
                                                std::string_view framing);

// Each coroutine holds the Impl, so that a ClientConnection may be destroyed in the middle of a call.
class ClientConnection::Impl {
 public:
  Impl(asio::io_context& context, Address address, Duration write_stall)
      : context_(context), address_(std::move(address)), write_stall_(write_stall) {}

  using Self = std::shared_ptr<Impl>;
  static asio::awaitable<Expected<void>> open(Self self, Deadline deadline);
  static asio::awaitable<Expected<ResponseHead>> send(Self self, const ClientRequest& request, Deadline deadline);
  static asio::awaitable<Expected<std::string>> read_some(Self self, std::size_t max_bytes, Deadline deadline);
  static asio::awaitable<Expected<std::string>> read_body(Self self, std::size_t max_bytes, Deadline deadline);
  static asio::awaitable<Expected<std::optional<std::string>>> read_line(Self self, std::size_t max_bytes,
                                                                         Deadline deadline);
  static asio::awaitable<Expected<void>> begin(Self self, const ClientRequest& request,
                                               std::optional<std::uint64_t> length, Deadline deadline);
  static asio::awaitable<Expected<void>> write(Self self, std::string_view piece, Deadline deadline);
  static asio::awaitable<Expected<ResponseHead>> finish(Self self, Deadline deadline);
  void close();
  [[nodiscard]] bool is_open() const { return wire_ && wire_->is_open(); }

 private:
  [[nodiscard]] bool reusable();
  [[nodiscard]] asio::awaitable<Expected<void>> connect(Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<ResponseHead>> exchange(const ClientRequest& request, std::string& head,
                                                                 Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<ResponseHead>> read_answer(bool head_request, bool sent_whole,
                                                                    Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> put(std::span<iovec> parts, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<std::size_t>> read_head(Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<ParsedResponse>> read_final_head(bool head_request, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<std::string>> next_part(std::size_t max_bytes, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<std::size_t>> receive(std::span<char> into, Deadline deadline);
  void note_progress();

  asio::io_context& context_;
  Address address_;
  Duration write_stall_;
  std::shared_ptr<Dial> dial_;
  std::shared_ptr<Wire> wire_;
  InputBuffer input_{kMaxResponseHead};
  Body body_ = Body::none();
  std::optional<std::uint64_t> length_;
  bool keep_alive_ = false;  // the answer being read leaves the connection usable
  bool settled_ = false;     // nothing of an answer is outstanding
  bool answered_ = false;    // a byte of the answer has come
  bool sent_whole_ = true;   // of the body that travels in pieces, so far
  bool in_chunks_ = false;
  std::uint64_t closes_ = 0;
  LineBuffer lines_;  // body bytes that read_line() has fetched and not given out
};

}  // namespace berth::http
