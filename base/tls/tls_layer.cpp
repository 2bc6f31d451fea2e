// SPDX-License-Identifier: Apache-2.0
#include "base/tls/tls_layer.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <openssl/x509v3.h>

namespace berth::tls {
namespace {

constexpr std::size_t kRecord = 16'384;      // bytes that one record carries at most
constexpr std::size_t kKeptStaging = 4'096;  // idle connections keep no more memory for it
constexpr int kRecordsOfOnePeek = 8;         // e.g. the tickets that a server sends after its handshake

ssize_t look_at(int fd, char& byte) {
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

int size_of(std::size_t bytes) {
  return static_cast<int>(std::min(bytes, kRecord));
}

void stage(std::string& out, std::span<const iovec> parts) {
  for (const iovec& part : parts) {
    const std::size_t room = kRecord - out.size();
    out.append(static_cast<const char*>(part.iov_base), std::min(room, part.iov_len));
  }
}

}  // namespace

std::unique_ptr<TlsLayer> TlsLayer::over(int fd, Ssl ssl, std::string remedy) {
  Bio bio = socket_bio(fd);
  if (!ssl || !bio) return nullptr;
  BIO* const both = bio.release();
  SSL_set_bio(ssl.get(), both, both);
  return std::unique_ptr<TlsLayer>(new TlsLayer(fd, std::move(ssl), std::move(remedy)));
}

int TlsLayer::broken(Error problem) {
  broken_ = true;
  problem_ = std::move(problem);
  errno = EPROTO;
  return -1;
}

int TlsLayer::outcome(int result) {
  if (result > 0) return result;
  const int error = SSL_get_error(ssl_.get(), result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return broken(explain(error));
  errno = EAGAIN;
  return -1;
}

// Every record of TLS begins with a byte below 32, every request of HTTP with a letter.
// A server waits for its peer's first byte here: once OpenSSL has read a plain request, it cannot be answered any more.
TlsLayer::First TlsLayer::hear_first() {
  if (heard_ || !SSL_is_server(ssl_.get())) return First::heard;
  char first = 0;
  const ssize_t count = look_at(fd_, first);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return First::awaited;
  heard_ = true;
  return count == 1 && first >= 'A' && first <= 'Z' ? First::plain : First::heard;
}

int TlsLayer::shake_hands() {
  ERR_clear_error();
  const First first = hear_first();
  if (first == First::plain) return broken({"plain", "the peer speaks no TLS", {}});
  if (first == First::awaited) {
    wants_write_ = false;
    errno = EAGAIN;
    return -1;
  }
  const int done = outcome(SSL_do_handshake(ssl_.get()));
  if (done == 0) return broken({"disconnected", "the peer ended the TLS handshake", {}});
  return done > 0 ? 0 : -1;
}

ssize_t TlsLayer::receive(std::span<char> into) {
  errno = EPROTO;
  if (broken_) return -1;
  ERR_clear_error();
  return outcome(SSL_read(ssl_.get(), into.data(), size_of(into.size())));
}

ssize_t TlsLayer::peek() {
  errno = EPROTO;
  if (broken_) return -1;
  ERR_clear_error();
  int found = -1;
  // A record may carry nothing for the caller; what comes behind it may be the end.
  for (int records = 0; records < kRecordsOfOnePeek; ++records) {
    char byte = 0;
    found = outcome(SSL_peek(ssl_.get(), &byte, 1));
    if (found >= 0 || broken_ || wants_write_ || look_at(fd_, byte) < 0) break;
  }
  if (found < 0) errno = broken_ ? EPROTO : EAGAIN;
  return found;
}

// A record for each small part would be a packet for each. After EAGAIN the same bytes have to be given again.
ssize_t TlsLayer::send(std::span<const iovec> parts) {
  errno = EPROTO;
  if (broken_) return -1;
  while (!parts.empty() && parts.front().iov_len == 0) parts = parts.subspan(1);
  if (parts.empty()) return 0;
  ERR_clear_error();
  const iovec& front = parts.front();
  if (staged_.empty() && (parts.size() == 1 || front.iov_len >= kRecord))
    return send_record(front.iov_base, front.iov_len);
  if (staged_.empty()) stage(staged_, parts);
  const int sent = send_record(staged_.data(), staged_.size());
  if (sent < 0) return sent;
  staged_.clear();
  if (staged_.capacity() > kKeptStaging) staged_ = std::string();
  return sent;
}

int TlsLayer::send_record(const void* data, std::size_t size) {
  const int sent = outcome(SSL_write(ssl_.get(), data, size_of(size)));
  // What fails after the peer has ended its side is called its end too.
  if (sent == 0) return broken({"disconnected", "the peer has gone", {}});
  return sent;
}

int TlsLayer::end() {
  errno = EPROTO;
  if (broken_) return -1;
  ERR_clear_error();
  const int done = SSL_shutdown(ssl_.get());
  return done >= 0 ? 0 : outcome(done);
}

Error TlsLayer::explain(int ssl_error) const {
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (!SSL_is_server(ssl_.get()) && verdict != X509_V_OK) return explain_certificate(verdict);
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (!SSL_is_server(ssl_.get()) && reason == SSL_R_WRONG_VERSION_NUMBER)
    return {"plain", "the peer speaks no TLS", {}};
  if (ssl_error == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return {"disconnected", "the connection was cut during the TLS handshake", {}};
  return {"tls", "the TLS handshake failed: " + last_reason(), {}};
}

Error TlsLayer::explain_certificate(long verdict) const {
  const std::string words = X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {"tls", "the server's certificate does not hold now: " + words,
              "renew it there; check the clocks of both machines"};
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {"tls", "the server's certificate is for another name: " + words,
              "write a name or address that stands in it (its subjectAltName), or have it made for this one"};
    default: return {"tls", "the server's certificate is not trusted here: " + words, remedy_};
  }
}

}  // namespace berth::tls
