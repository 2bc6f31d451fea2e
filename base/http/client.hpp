// SPDX-License-Identifier: Apache-2.0
// A keep-alive HTTP/1.1 client connection over TCP or a unix socket. One request at a time per connection; the owner
// pools connections if it wants several. All members run on the io_context's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "base/http/layer.hpp"
#include "base/http/message.hpp"
#include "berth/error.hpp"

namespace berth::http {

namespace asio = boost::asio;

// Where a server listens: "unix:/path/sock", "http://host:port" or "https://host:port" (host: name or literal address).
struct Address {
  std::string unix_path;  // set for unix sockets
  std::string host;
  std::uint16_t port = 0;
  DialLayer layer{};  // set for https
};
// `tls` is what https:// goes through; without it such an address is refused.
[[nodiscard]] Expected<Address> parse_address(std::string_view text, const DialLayer& tls = {});

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already encoded
  std::string body;
  std::string content_type{kJsonType};
  std::vector<std::pair<std::string, std::string>> fields;
};

struct ResponseHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names lower-cased
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
};

// Errors of every call: "connect" and "tls" (no connection, or none that is safe: nothing was sent), "transport" (cut
// after sending began), "timeout" (the deadline), "protocol" (the answer is not HTTP, or over a bound). After any error
// the connection is closed.
class ClientConnection {
 public:
  static constexpr std::chrono::seconds kWriteStall{30};

  // `write_stall`: how long the server may take no byte of a request before the send ends with "timeout".
  ClientConnection(asio::io_context& context, Address address, Duration write_stall = kWriteStall);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Connects if needed, for callers whose patience with a server that does not answer at all is shorter than with one
  // that works. Every error has code "connect" or "tls", or "transport" after close().
  [[nodiscard]] asio::awaitable<Expected<void>> open(Deadline deadline);
  // Connects if needed, sends, reads the head. A kept-alive connection that the server closed while it was idle is
  // replaced once, silently, when no byte of the answer had come and the request's method is GET or HEAD.
  [[nodiscard]] asio::awaitable<Expected<ResponseHead>> send(const ClientRequest& request, Deadline deadline);
  // A request whose body follows in pieces: `length` bytes, or chunked when there is none. request.body stays empty.
  // Connects if needed; never sent twice.
  [[nodiscard]] asio::awaitable<Expected<void>> begin(const ClientRequest& request, std::optional<std::uint64_t> length,
                                                      Deadline deadline);
  // The next piece. After an error finish() may still find the answer of a server that did not want the rest.
  [[nodiscard]] asio::awaitable<Expected<void>> write(std::string_view piece, Deadline deadline);
  // The body's end and the answer's head.
  [[nodiscard]] asio::awaitable<Expected<ResponseHead>> finish(Deadline deadline);
  // Next part of the answer's body; empty at its end. `max_bytes` bounds one part.
  [[nodiscard]] asio::awaitable<Expected<std::string>> read_some(std::size_t max_bytes, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<std::string>> read_body(std::size_t max_bytes, Deadline deadline);
  // One line of the body without its newline; nothing at the end of the body. A line over max_bytes is a protocol
  // error.
  [[nodiscard]] asio::awaitable<Expected<std::optional<std::string>>> read_line(std::size_t max_bytes,
                                                                                Deadline deadline);

  // Ends any pending operation with "transport". Safe to call at any time.
  void close();
  [[nodiscard]] bool is_open() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

// send + read_body on a fresh connection.
struct WholeResponse {
  ResponseHead head;
  std::string body;
};
[[nodiscard]] asio::awaitable<Expected<WholeResponse>> fetch(asio::io_context& context, Address address,
                                                             ClientRequest request, std::size_t max_bytes,
                                                             Deadline deadline);

}  // namespace berth::http
