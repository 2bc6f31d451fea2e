// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/tls/fixture.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

namespace berth::tls {

std::string Files::write(const std::string& name, const std::string& content, unsigned mode) {
  const std::string path = folder_.path() + "/" + std::to_string(++count_) + "-" + name;
  EXPECT_TRUE(write_file_atomically(path, content, mode));
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  return path;
}

ServerContext Files::server(const Identity& identity) {
  return ServerContext::read(write("cert.pem", identity.cert), write("key.pem", identity.key)).value();
}

http::DialLayer Files::trusting(const std::string& pem) {
  return ClientContext::read(write("ca.pem", pem), kRemedy).value().dial();
}

// OpenSSL's own sockets, which these tests use beside ours, ask for it.
Tls::Tls() {
  ::signal(SIGPIPE, SIG_IGN);
}

RawTls::RawTls(std::uint16_t port, int version)
    : socket_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(SSL_new(context_.get())) {
  const timeval patience{http::kPatience.count(), 0};
  ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  SSL_set_fd(ssl_.get(), socket_.fd());
  if (version == 0) return;
  SSL_set_security_level(ssl_.get(), 0);
  SSL_set_min_proto_version(ssl_.get(), version);
  SSL_set_max_proto_version(ssl_.get(), version);
}

bool RawTls::shake_hands() {
  return SSL_connect(ssl_.get()) == 1;
}

bool RawTls::send(std::string_view bytes) {
  return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
}

void RawTls::say_end() {
  EXPECT_GE(SSL_shutdown(ssl_.get()), 0);
}

std::string RawTls::read_answer() {
  std::string all;
  char block[4096];
  while (true) {
    const int count = SSL_read(ssl_.get(), block, sizeof block);
    if (count <= 0) return all;
    all.append(block, static_cast<std::size_t>(count));
    const std::size_t end = all.find("\r\n\r\n");
    const std::size_t at = all.find("Content-Length: ");
    if (end == std::string::npos || at == std::string::npos) continue;
    if (all.size() >= end + 4 + std::strtoul(all.c_str() + at + 16, nullptr, 10)) return all;
  }
}

std::string RawTls::common_name() const {
  const Certificate shown(SSL_get1_peer_certificate(ssl_.get()));
  char name[100] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name, sizeof name);
  return name;
}

}  // namespace berth::tls
