// SPDX-License-Identifier: Apache-2.0
// Our client over TLS: whom it believes, and what it says when it does not.
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <gmock/gmock.h>
#include <stdlib.h>

#include "tests/unit/tls/fixture.hpp"

namespace berth::tls {
namespace {

using namespace std::chrono_literals;
using http::TestServer;
using ::testing::HasSubstr;

class TlsClient : public Tls {
 protected:
  void expect_refused(const http::Address& where, const std::string& words, const std::string& hint) {
    const auto answer = get(where);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, "tls");
    EXPECT_THAT(answer.error().message, HasSubstr(words));
    EXPECT_THAT(answer.error().hint, HasSubstr(hint));
  }
  void expect_refused(const Wanted& wanted, const std::string& host, const std::string& words,
                      const std::string& hint) {
    TestServer server(http::echo, {}, layer_for(authority_.issue(wanted)));
    expect_refused(address(server.port(), host), words, hint);
  }
};

TEST_F(TlsClient, BelievesTheNamesAndAddressesOfACertificate) {
  TestServer server(http::echo, {}, layer());
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const auto answer = get(address(server.port(), host));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "GET /? 0");
  }
}

TEST_F(TlsClient, BelievesNoOtherNameOrAddress) {
  Wanted wanted;
  wanted.alternative_names = "DNS:example.org,DNS:*.localhost,IP:127.0.0.2";
  expect_refused(wanted, "127.0.0.1", "for another name", "subjectAltName");
  expect_refused(wanted, "localhost", "for another name", "subjectAltName");
}

TEST_F(TlsClient, TakesNoCommonNameForAName) {
  Wanted wanted;
  wanted.common_name = "localhost";
  wanted.alternative_names.clear();
  expect_refused(wanted, "localhost", "for another name", "subjectAltName");
}

TEST_F(TlsClient, BelievesNoUnknownAuthority) {
  TestServer server(http::echo, {}, layer_for(Authority().issue()));
  expect_refused(address(server.port()), "not trusted here", kRemedy);
}

TEST_F(TlsClient, BelievesACertificateThatSignsItselfOnlyWhereItIsNamed) {
  const Identity own = self_signed();
  TestServer server(http::echo, {}, layer_for(own));
  expect_refused(address(server.port()), "not trusted here", kRemedy);
  EXPECT_TRUE(get(http::Address{{}, "127.0.0.1", server.port(), files_.trusting(own.cert)}));
}

TEST_F(TlsClient, BelievesNoCertificateOutOfItsTime) {
  Wanted expired, early;
  expired.until = -60s;
  early.from = 60s;
  expect_refused(expired, "127.0.0.1", "does not hold now: certificate has expired", "renew it");
  expect_refused(early, "127.0.0.1", "does not hold now: certificate is not yet valid", "clocks");
}

TEST_F(TlsClient, BelievesTheSystemsAuthoritiesWhereNoneIsNamed) {
  TestServer server(http::echo, {}, layer());
  const auto system = [] { return ClientContext::read({}, kRemedy).value().dial(); };
  expect_refused(http::Address{{}, "127.0.0.1", server.port(), system()}, "not trusted here", kRemedy);
  ASSERT_EQ(::setenv("SSL_CERT_FILE", files_.write("ca.pem", authority_.pem()).c_str(), 1), 0);
  const auto answer = get(http::Address{{}, "127.0.0.1", server.port(), system()});
  ::unsetenv("SSL_CERT_FILE");
  EXPECT_TRUE(answer) << answer.error().message;
}

TEST_F(TlsClient, SendsNothingToWhomItDoesNotBelieve) {
  std::atomic<int> requests = 0;
  const auto count = [&](http::Exchange& exchange) -> boost::asio::awaitable<void> {
    ++requests;
    co_await http::echo(exchange);
  };
  TestServer server(count, {}, layer_for(Authority().issue()));
  http::ClientConnection client(context_, address(server.port()));
  const http::ClientRequest request;
  EXPECT_EQ(http::code_of(http::run(context_, client.open(http::soon()))), "tls");
  EXPECT_EQ(http::code_of(http::run(context_, client.send(request, http::soon()))), "tls");
  EXPECT_EQ(http::code_of(http::run(context_, client.begin(request, 3, http::soon()))), "tls");
  EXPECT_TRUE(http::eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(requests, 0);
}

TEST_F(TlsClient, SaysThatAServerSpeaksNoTls) {
  TestServer server(http::echo);
  expect_refused(address(server.port()), "speaks no TLS", "http://");
}

// A server that does what it is told with one connection after the other, on a thread of its own.
class Script {
 public:
  explicit Script(std::function<void(int)> part, int connections = 1)
      : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listening_.get(), generic, sizeof address), 0);
    EXPECT_EQ(::listen(listening_.get(), 8), 0);
    socklen_t size = sizeof address;
    ::getsockname(listening_.get(), generic, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, connections, play = std::move(part)] {
      for (int i = 0; i < connections; ++i) {
        const UniqueFd one(::accept(listening_.get(), nullptr, nullptr));
        if (one) play(one.get());
      }
    });
  }
  ~Script() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd listening_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

void read_head(SSL* ssl) {
  std::string head;
  char block[1000];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const int count = SSL_read(ssl, block, sizeof block);
    if (count <= 0) return;
    head.append(block, static_cast<std::size_t>(count));
  }
}

void put(SSL* ssl, std::string_view text) {
  EXPECT_GT(SSL_write(ssl, text.data(), static_cast<int>(text.size())), 0);
}

// OpenSSL as it is when nobody changes it.
class OrdinaryServer {
 public:
  explicit OrdinaryServer(const Identity& identity) : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    const std::string cert = files_.write("cert", identity.cert);
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context_.get(), cert.c_str()), 1);
    const std::string key = files_.write("key", identity.key);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM), 1);
  }
  [[nodiscard]] Ssl accept(int fd) const {
    Ssl ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), fd);
    EXPECT_EQ(SSL_accept(ssl.get()), 1);
    return ssl;
  }

 private:
  Files files_;
  Context context_;
};

TEST_F(TlsClient, TakesACutForNoEndOfAnAnswer) {
  const OrdinaryServer ordinary(authority_.issue());
  for (const bool says_end : {false, true}) {
    const Script server([&](int fd) {
      const Ssl ssl = ordinary.accept(fd);
      read_head(ssl.get());
      put(ssl.get(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome of it");
      if (says_end) SSL_shutdown(ssl.get());
      ::shutdown(fd, SHUT_WR);
      char byte = 0;
      while (::recv(fd, &byte, 1, 0) > 0) {
      }
    });
    const auto answer = get(address(server.port()));
    EXPECT_EQ(http::code_of(answer), says_end ? "ok" : "transport");
  }
}

TEST_F(TlsClient, KeepsAConnectionOnWhichTicketsWait) {
  const OrdinaryServer ordinary(authority_.issue());
  const Script server([&](int fd) {
    const Ssl ssl = ordinary.accept(fd);
    for (int i = 0; i < 2; ++i) {
      read_head(ssl.get());
      put(ssl.get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
  http::ClientConnection client(context_, address(server.port()));
  const http::ClientRequest request;
  ASSERT_TRUE(http::run(context_, client.open(http::soon())));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(http::code_of(http::run(context_, client.send(request, http::soon()))), "ok");
}

TEST_F(TlsClient, SeesAnEndBehindTickets) {
  const OrdinaryServer ordinary(authority_.issue());
  std::atomic<int> connections = 0;
  std::atomic<bool> ended = false;
  const Script server(
      [&](int fd) {
        const Ssl ssl = ordinary.accept(fd);
        if (connections++ > 0) {
          read_head(ssl.get());
          put(ssl.get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        SSL_shutdown(ssl.get());
        ::shutdown(fd, SHUT_WR);
        ended = true;
        char byte = 0;
        while (::recv(fd, &byte, 1, 0) > 0) {
        }
      },
      2);
  http::ClientConnection client(context_, address(server.port()));
  ASSERT_TRUE(http::run(context_, client.open(http::soon())));
  ASSERT_TRUE(http::eventually([&] { return ended.load(); }));
  http::ClientRequest request;
  request.method = "POST";  // would not be sent twice
  EXPECT_EQ(http::code_of(http::run(context_, client.send(request, http::soon()))), "ok");
}

TEST_F(TlsClient, WaitsForNoHandshakeBeyondItsDeadline) {
  const Script silent([](int fd) {
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) > 0) {
    }
  });
  const auto limit = 200ms;
  const TimePoint start = berth::now();
  const auto answer = http::run(
      context_, http::fetch(context_, address(silent.port()), http::ClientRequest{}, 100, Deadline(start + limit)));
  EXPECT_EQ(http::code_of(answer), "timeout");
  EXPECT_LE(berth::now() - start, 5 * limit);
}

TEST_F(TlsClient, SaysInPlainHttpThatAServerSpeaksTls) {
  const Script server([](int fd) {
    char block[1000];
    static_cast<void>(::recv(fd, block, sizeof block, 0));
    static_cast<void>(::send(fd, "\x15\x03\x01\x00\x02\x02\x46", 7, MSG_NOSIGNAL));
  });
  expect_refused(http::Address{{}, "127.0.0.1", server.port(), {}}, "speaks TLS", "https://");
}

}  // namespace
}  // namespace berth::tls
