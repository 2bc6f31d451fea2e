// SPDX-License-Identifier: Apache-2.0
#include "base/http/client.hpp"

#include <array>
#include <cerrno>

#include "base/http/client_connection.hpp"

namespace berth::http {
namespace {

constexpr int kMaxInterimAnswers = 8;

tl::unexpected<Error> wire_error(IoStatus status) {
  if (status == IoStatus::timed_out) return fail("timeout", "no answer in time");
  return fail("transport", "the connection was cut");
}

bool is_repeatable(const ClientRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

bool is_ours(std::string_view name) {
  return equals_ignoring_case(name, "content-length") || equals_ignoring_case(name, "transfer-encoding");
}

// What a server answers that speaks nothing but TLS.
bool is_tls_alert(std::string_view bytes) {
  return bytes.starts_with("\x15\x03");
}

// What tells the length of a body that is sent at once.
std::string framing_of(const ClientRequest& request) {
  std::string fields;
  if (!request.body.empty() || !is_repeatable(request)) {
    fields.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  if (!request.body.empty()) fields.append("Content-Type: ").append(request.content_type).append("\r\n");
  return fields;
}

}  // namespace

Expected<std::string> format_head(const ClientRequest& request, const Address& address, std::string_view framing) {
  if (!is_token(request.method)) return fail("protocol", "the method is not a token");
  if (!request.target.starts_with('/') || !is_target(request.target)) {
    return fail("protocol", "the target is not an encoded path");
  }
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\n";
  bool has_host = false;
  for (const auto& [name, value] : request.fields) {
    if (!is_token(name) || !is_field_value(value) || is_ours(name)) return fail("protocol", "unusable header field");
    has_host = has_host || equals_ignoring_case(name, "host");
    text.append(name).append(": ").append(value).append("\r\n");
  }
  const bool local = !address.unix_path.empty();
  if (!has_host) text.append("Host: ").append(local ? "localhost" : host_text(address)).append("\r\n");
  text.append(framing).append("\r\n");
  return text;
}

void ClientConnection::Impl::close() {
  ++closes_;
  settled_ = false;
  if (dial_) dial_->cancel();
  if (wire_) wire_->close();
}

// Idle, in step, and neither closed nor spoken to by the server meanwhile.
bool ClientConnection::Impl::reusable() {
  if (!is_open() || !settled_ || !input_.empty()) return false;
  return wire_->peek() < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

asio::awaitable<Expected<void>> ClientConnection::Impl::connect(Deadline deadline) {
  if (wire_) wire_->close();
  input_ = InputBuffer(kMaxResponseHead);
  dial_ = std::make_shared<Dial>(context_);
  Expected<std::shared_ptr<Wire>> wire = co_await Dial::run(dial_, address_, deadline);
  dial_.reset();
  if (!wire) co_return tl::unexpected(wire.error());
  wire_ = std::move(*wire);
  co_return Expected<void>();
}

asio::awaitable<Expected<void>> ClientConnection::Impl::open(Self self, Deadline deadline) {
  if (self->reusable()) co_return Expected<void>();
  const std::uint64_t closes = self->closes_;
  const Expected<void> connected = co_await self->connect(deadline);
  if (!connected && connected.error().code == "tls") co_return connected;
  if (!connected) co_return fail("connect", connected.error().message);
  if (self->closes_ != closes) {
    self->wire_->close();
    co_return fail("transport", "closed");
  }
  self->settled_ = true;
  co_return Expected<void>();
}

asio::awaitable<Expected<ResponseHead>> ClientConnection::Impl::send(Self self, const ClientRequest& request,
                                                                     Deadline deadline) {
  Expected<std::string> head = format_head(request, self->address_, framing_of(request));
  if (!head) co_return tl::unexpected(head.error());
  self->lines_ = {};
  const std::uint64_t closes = self->closes_;
  bool reused = self->reusable();
  while (true) {
    if (!reused) {
      if (Expected<void> connected = co_await self->connect(deadline); !connected)
        co_return tl::unexpected(connected.error());
      if (self->closes_ != closes) {
        self->wire_->close();
        co_return fail("transport", "closed");
      }
    }
    Expected<ResponseHead> answer = co_await self->exchange(request, *head, deadline);
    if (answer) co_return answer;
    const bool again = reused && !self->answered_ && self->closes_ == closes && is_repeatable(request) &&
                       answer.error().code == "transport";
    self->wire_->close();
    if (!again) co_return answer;
    reused = false;
  }
}

asio::awaitable<Expected<ResponseHead>> ClientConnection::Impl::exchange(const ClientRequest& request,
                                                                         std::string& head, Deadline deadline) {
  settled_ = false;
  answered_ = false;
  std::array<iovec, 2> parts{iovec{head.data(), head.size()},
                             iovec{const_cast<char*>(request.body.data()), request.body.size()}};
  const IoResult sent =
      co_await wire_->write(std::span(parts).first(request.body.empty() ? 1 : 2), deadline, write_stall_);
  if (sent.status == IoStatus::timed_out) co_return fail("timeout", "the server does not take the request");
  // A server that refuses early closes before it has read all: its answer may still be there.
  co_return co_await read_answer(request.method == "HEAD", sent.status == IoStatus::done, deadline);
}

asio::awaitable<Expected<ResponseHead>> ClientConnection::Impl::read_answer(bool head_request, bool sent_whole,
                                                                            Deadline deadline) {
  Expected<ParsedResponse> parsed = co_await read_final_head(head_request, deadline);
  if (!parsed) co_return tl::unexpected(parsed.error());
  body_ = parsed->body;
  length_ = body_.done() ? 0 : parsed->length;
  keep_alive_ = parsed->keep_alive && sent_whole;
  note_progress();
  co_return std::move(parsed->head);
}

asio::awaitable<Expected<ParsedResponse>> ClientConnection::Impl::read_final_head(bool head_request,
                                                                                  Deadline deadline) {
  for (int interim = 0; interim <= kMaxInterimAnswers; ++interim) {
    const Expected<std::size_t> size = co_await read_head(deadline);
    if (!size) co_return tl::unexpected(size.error());
    Expected<ParsedResponse> parsed = parse_response_head(input_.view().substr(0, *size), head_request);
    if (!parsed) co_return parsed;
    input_.consume(*size);
    if (parsed->head.status == 101) co_return fail("protocol", "the server switched protocols unasked");
    if (parsed->head.status >= 200) co_return parsed;
  }
  co_return fail("protocol", "too many interim answers");
}

asio::awaitable<Expected<std::size_t>> ClientConnection::Impl::read_head(Deadline deadline) {
  HeadScan scan;
  while (true) {
    const auto end = scan.find_end(input_.view(), kMaxResponseHead);
    if (!end) co_return fail("protocol", end.error().message);
    if (*end) co_return **end;
    const IoResult got = co_await wire_->read(input_.prepare(), deadline, !answered_);
    if (got.status != IoStatus::done) co_return wire_error(got.status);
    answered_ = true;
    input_.commit(got.bytes);
    if (is_tls_alert(input_.view())) co_return fail("tls", "the server there speaks TLS", "write https://");
  }
}

// The answer has been read to its end: bytes beyond it would be taken for the next answer, so they end the connection.
void ClientConnection::Impl::note_progress() {
  if (!body_.done()) return;
  settled_ = keep_alive_ && input_.empty();
  if (!settled_ && wire_) wire_->close();
}

ClientConnection::ClientConnection(asio::io_context& context, Address address, Duration write_stall)
    : impl_(std::make_shared<Impl>(context, std::move(address), write_stall)) {}
ClientConnection::~ClientConnection() {
  impl_->close();
}

asio::awaitable<Expected<void>> ClientConnection::open(Deadline deadline) {
  return Impl::open(impl_, deadline);
}
asio::awaitable<Expected<ResponseHead>> ClientConnection::send(const ClientRequest& request, Deadline deadline) {
  return Impl::send(impl_, request, deadline);
}
asio::awaitable<Expected<std::string>> ClientConnection::read_some(std::size_t max_bytes, Deadline deadline) {
  return Impl::read_some(impl_, max_bytes, deadline);
}
asio::awaitable<Expected<std::string>> ClientConnection::read_body(std::size_t max_bytes, Deadline deadline) {
  return Impl::read_body(impl_, max_bytes, deadline);
}
asio::awaitable<Expected<std::optional<std::string>>> ClientConnection::read_line(std::size_t max_bytes,
                                                                                  Deadline deadline) {
  return Impl::read_line(impl_, max_bytes, deadline);
}
void ClientConnection::close() {
  impl_->close();
}
bool ClientConnection::is_open() const {
  return impl_->is_open();
}

std::optional<std::string_view> ResponseHead::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

asio::awaitable<Expected<WholeResponse>> fetch(asio::io_context& context, Address address, ClientRequest request,
                                               std::size_t max_bytes, Deadline deadline) {
  ClientConnection connection(context, std::move(address));
  Expected<ResponseHead> head = co_await connection.send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  Expected<std::string> body = co_await connection.read_body(max_bytes, deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return WholeResponse{std::move(*head), std::move(*body)};
}

}  // namespace berth::http
