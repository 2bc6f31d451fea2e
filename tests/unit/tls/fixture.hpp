// SPDX-License-Identifier: Apache-2.0
// Servers over TLS, our client, and a client of OpenSSL's own that does what ours never would.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "base/http/client.hpp"
#include "base/tls/client_context.hpp"
#include "base/tls/server_context.hpp"
#include "tests/unit/http/harness.hpp"
#include "tests/unit/http/run.hpp"
#include "tests/unit/tls/certificates.hpp"

namespace berth::tls {

inline constexpr const char* kRemedy = "trust it by name";

// Files of one test, removed at its end.
class Files {
 public:
  std::string write(const std::string& name, const std::string& content, unsigned mode = 0600);
  [[nodiscard]] ServerContext server(const Identity& identity);
  [[nodiscard]] http::DialLayer trusting(const std::string& pem);

 private:
  berth::testing::TempDir folder_;
  int count_ = 0;
};

class Tls : public ::testing::Test {
 protected:
  Tls();
  [[nodiscard]] http::AcceptLayer layer_for(const Identity& identity) {
    return [context = files_.server(identity)](int fd) { return context.layer(fd); };
  }
  [[nodiscard]] http::AcceptLayer layer() { return layer_for(authority_.issue()); }
  [[nodiscard]] http::Address address(std::uint16_t port, const std::string& host = "127.0.0.1") {
    return http::Address{{}, host, port, files_.trusting(authority_.pem())};
  }
  [[nodiscard]] Expected<http::WholeResponse> get(const http::Address& where) {
    return http::run(context_, http::fetch(context_, where, http::ClientRequest{}, 1000, http::soon()));
  }

  Files files_;
  Authority authority_;
  boost::asio::io_context context_;
};

// Blocking, verifies nothing. Nothing waits longer than the tests' patience.
class RawTls {
 public:
  explicit RawTls(std::uint16_t port, int version = 0);  // 0: the best that both speak

  [[nodiscard]] bool shake_hands();
  bool send(std::string_view bytes);
  void say_end();  // close_notify; the socket stays open
  [[nodiscard]] std::string read_answer();
  [[nodiscard]] std::string common_name() const;  // of the server's certificate
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] http::RawClient& socket() { return socket_; }
  [[nodiscard]] SSL* ssl() { return ssl_.get(); }

 private:
  http::RawClient socket_;
  Context context_;
  Ssl ssl_;
};

}  // namespace berth::tls
