// SPDX-License-Identifier: Apache-2.0
// The client against servers that lie: what it gets is an error of the right kind, in bounded memory and time.
#include <netinet/in.h>
#include <sys/socket.h>

#include <gmock/gmock.h>
#include <thread>

#include "base/http/client.hpp"
#include "tests/unit/http/harness.hpp"
#include "tests/unit/http/run.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// Accepts one connection after the other, waits for a request's head, sends `answer`, and closes or waits for the peer
// to.
class Liar {
 public:
  enum class Then { close, linger, close_at_next_request };

  explicit Liar(std::string answer, Then then = Then::close, std::string endless = {})
      : answer_(std::move(answer)), endless_(std::move(endless)), then_(then) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = Address{{}, "127.0.0.1", ntohs(address.sin_port)};
    thread_ = std::thread([this] { serve(); });
  }
  ~Liar() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Liar(const Liar&) = delete;
  Liar& operator=(const Liar&) = delete;

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] int accepted() const { return accepted_; }

 private:
  void serve() {
    while (true) {
      const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      ++accepted_;
      char block[4096];
      if (::recv(peer.get(), block, sizeof block, 0) <= 0) continue;
      bool taken = ::send(peer.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL) >= 0;
      while (taken && !endless_.empty()) taken = ::send(peer.get(), endless_.data(), endless_.size(), MSG_NOSIGNAL) > 0;
      if (then_ == Then::close_at_next_request) static_cast<void>(::recv(peer.get(), block, sizeof block, 0));
      while (then_ == Then::linger && ::recv(peer.get(), block, sizeof block, 0) > 0) {
      }
    }
  }

  std::string answer_;
  std::string endless_;
  Then then_;
  UniqueFd listener_;
  Address address_;
  std::atomic<int> accepted_{0};
  std::thread thread_;
};

std::string ok(std::string_view rest) {
  return "HTTP/1.1 200 OK\r\n" + std::string(rest);
}

std::string outcome(const Liar& liar, std::size_t max_bytes = 1000) {
  asio::io_context context;
  const auto whole = run(context, fetch(context, liar.address(), ClientRequest(), max_bytes, soon()));
  return whole ? "body: " + whole->body : whole.error().code;
}

struct Lie {
  const char* name;
  std::string answer;
  const char* outcome;
};

void PrintTo(const Lie& lie, std::ostream* out) {
  *out << lie.name;
}

class LyingServer : public ::testing::TestWithParam<Lie> {};

TEST_P(LyingServer, IsSeenThrough) {
  const Liar liar(GetParam().answer);
  EXPECT_EQ(outcome(liar), GetParam().outcome);
}

std::string many_fields(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "X: y\r\n";
  return text;
}

std::vector<Lie> lies() {
  return {
      {"SaysNothing", "", "transport"},
      {"SpeaksOtherwise", "SSH-2.0-OpenSSH\r\n\r\n", "protocol"},
      {"HttpTwo", "HTTP/2.0 200 OK\r\n\r\n", "protocol"},
      {"StatusNotNumber", "HTTP/1.1 2x0 OK\r\n\r\n", "protocol"},
      {"StatusTooLong", "HTTP/1.1 2000 OK\r\n\r\n", "protocol"},
      {"StatusOutOfRange", "HTTP/1.1 999 OK\r\n\r\n", "protocol"},
      {"BareLf", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "protocol"},
      {"NulInField", ok("X: a\0b\r\nContent-Length: 0\r\n\r\n"s), "protocol"},
      {"FoldedField", ok("X: a\r\n b\r\nContent-Length: 0\r\n\r\n"), "protocol"},
      {"HeadCut", ok("Content-Le"), "transport"},
      {"LengthTooLong", ok("Content-Length: 10\r\n\r\nhello"), "transport"},
      {"LengthAndMore", ok("Content-Length: 2\r\n\r\nhello"), "body: he"},
      {"LengthOverBound", ok("Content-Length: 1001\r\n\r\n"), "protocol"},
      {"LengthNegative", ok("Content-Length: -1\r\n\r\n"), "protocol"},
      {"LengthHuge", ok("Content-Length: 99999999999999999999\r\n\r\n"), "protocol"},
      {"TwoLengths", ok("Content-Length: 1\r\nContent-Length: 2\r\n\r\nhe"), "protocol"},
      {"LengthAndChunked", ok("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "protocol"},
      {"Gzip", ok("Transfer-Encoding: gzip\r\n\r\n"), "protocol"},
      {"ChunkedInOldHttp", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "protocol"},
      {"ChunkedCut", ok("Transfer-Encoding: chunked\r\n\r\n5\r\nhel"), "transport"},
      {"ChunkedWithoutEnd", ok("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "transport"},
      {"ChunkSizeBad", ok("Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), "protocol"},
      {"ChunkSizeHuge", ok("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"), "protocol"},
      {"ChunkSizeLies", ok("Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"), "protocol"},
      {"TrailersMany", ok("Transfer-Encoding: chunked\r\n\r\n0\r\n" + many_fields(5000) + "\r\n"), "protocol"},
      {"FieldsMany", ok(many_fields(100'000) + "\r\n"), "protocol"},
      {"FieldLong", ok("X: " + std::string(100'000, 'a') + "\r\n\r\n"), "protocol"},
      {"InterimWithoutEnd", "HTTP/1.1 100 Continue\r\n\r\n", "transport"},
      {"InterimMany",
       [] {
         std::string text;
         for (int i = 0; i < 100; ++i) text += "HTTP/1.1 103 Early Hints\r\n\r\n";
         return text;
       }(),
       "protocol"},
      {"SwitchesProtocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol"},
      {"UntilClose", ok("\r\nhello"), "body: hello"},
      {"InterimThenAnswer", "HTTP/1.1 100 Continue\r\n\r\n" + ok("Content-Length: 5\r\n\r\nhello"), "body: hello"},
      {"NoReason", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "body: hello"},
      {"Trailers", ok("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"), "body: hello"},
  };
}

INSTANTIATE_TEST_SUITE_P(Lies, LyingServer, ::testing::ValuesIn(lies()),
                         [](const auto& named) { return std::string(named.param.name); });

TEST(LyingServerForEver, EndlessChunksAreBounded) {
  const Liar liar(ok("Transfer-Encoding: chunked\r\n\r\n"), Liar::Then::close, "1\r\nx\r\n");
  EXPECT_EQ(outcome(liar, 100'000), "protocol");
}

TEST(LyingServerForEver, EndlessBodyIsBounded) {
  const Liar liar(ok("\r\n"), Liar::Then::close, std::string(4096, 'x'));
  EXPECT_EQ(outcome(liar, 1'000'000), "protocol");
}

TEST(LyingServerForEver, EndlessHeadIsBounded) {
  const Liar liar(ok(""), Liar::Then::close, "X: y\r\n");
  EXPECT_EQ(outcome(liar), "protocol");
}

TEST(LyingServerForEver, NoAnswerEndsAtTheDeadline) {
  const Liar liar("", Liar::Then::linger);
  asio::io_context context;
  const Deadline deadline(std::chrono::steady_clock::now() + 50ms);
  const auto whole = run(context, fetch(context, liar.address(), ClientRequest(), 100, deadline));
  EXPECT_EQ(code_of(whole), "timeout");
}

TEST(StrayBytes, AreNeverTakenForTheNextAnswer) {
  const Liar liar(ok("Content-Length: 2\r\n\r\nok") + ok("Content-Length: 6\r\n\r\nforged"), Liar::Then::linger);
  asio::io_context context;
  ClientConnection client(context, liar.address());
  const ClientRequest sent;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(run(context, client.send(sent, soon())));
    const auto body = run(context, client.read_body(100, soon()));
    ASSERT_TRUE(body);
    EXPECT_EQ(*body, "ok");
  }
  EXPECT_EQ(liar.accepted(), 3);
}

TEST(Retry, IsNotForAFreshConnection) {
  const Liar liar("");
  EXPECT_EQ(outcome(liar), "transport");
  EXPECT_EQ(liar.accepted(), 1);
}

struct RetryCase {
  const char* method;
  const char* outcome;
  int connections;
};

TEST(Retry, IsForRequestsThatMayRunTwice) {
  for (const RetryCase& c :
       {RetryCase{"GET", "ok", 2}, RetryCase{"HEAD", "ok", 2}, RetryCase{"POST", "transport", 1}}) {
    const Liar liar(ok("Content-Length: 0\r\n\r\n"), Liar::Then::close_at_next_request);
    asio::io_context context;
    ClientConnection client(context, liar.address());
    ClientRequest sent;
    sent.method = c.method;
    ASSERT_EQ(code_of(run(context, client.send(sent, soon()))), "ok");
    EXPECT_EQ(code_of(run(context, client.send(sent, soon()))), c.outcome) << c.method;
    EXPECT_EQ(liar.accepted(), c.connections) << c.method;
  }
}

}  // namespace
}  // namespace berth::http
