// SPDX-License-Identifier: Apache-2.0
// Our server over TLS: what it serves, and what becomes of peers that do not behave.
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/unit/tls/fixture.hpp"

namespace berth::tls {
namespace {

using namespace std::chrono_literals;
using http::RawClient;
using http::TestServer;

constexpr auto kShort = 1s;  // a handshake fits in it on a busy machine
constexpr auto kAtLast = 5 * kShort;

http::ServerLimits short_heads() {
  http::ServerLimits limits;
  limits.head_timeout = kShort;
  return limits;
}

class TlsServer : public Tls {
 protected:
  // Cut by the server, and not later than its limit for heads allows.
  static void expect_cut_in_time(RawClient& client) {
    const TimePoint start = berth::now();
    EXPECT_TRUE(client.is_closed_by_server());
    EXPECT_LE(berth::now() - start, kAtLast);
  }
  void expect_served(const TestServer& server) {
    const auto answer = get(address(server.port()));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "GET /? 0");
  }
};

TEST_F(TlsServer, ServesRequestAfterRequestOnOneConnection) {
  TestServer server(http::echo, {}, layer());
  http::ClientConnection client(context_, address(server.port()));
  for (int i = 0; i < 20; ++i) {
    http::ClientRequest request;
    request.method = "POST";
    request.body = std::string(static_cast<std::size_t>(i) * 3000, 'x');
    ASSERT_TRUE(http::run(context_, client.send(request, http::soon())));
    const auto body = http::run(context_, client.read_body(100, http::soon()));
    ASSERT_TRUE(body);
    EXPECT_EQ(*body, "POST /? " + std::to_string(request.body.size()));
  }
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(TlsServer, MovesLargeBodiesBothWays) {
  const std::size_t size = 5'000'000;
  const auto mirror = [&](http::Exchange& exchange) -> boost::asio::awaitable<void> {
    Expected<std::string> body = co_await exchange.read_body(size);
    http::Response response = http::reply(std::move(body.value()));
    static_cast<void>(co_await exchange.respond(std::move(response)));
  };
  TestServer server(mirror, {}, layer());
  http::ClientRequest request;
  request.method = "POST";
  request.body.resize(size);
  for (std::size_t i = 0; i < size; ++i) request.body[i] = static_cast<char>(i * 7);
  const auto whole = http::run(context_, http::fetch(context_, address(server.port()), request, size, http::soon()));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_TRUE(whole->body == request.body);
}

TEST_F(TlsServer, StreamsPiecesOfEverySize) {
  const std::string piece(100'000, 'y');
  const auto stream = [&](http::Exchange& exchange) -> boost::asio::awaitable<void> {
    http::Response head;
    static_cast<void>(co_await exchange.begin_stream(std::move(head)));
    for (const std::size_t size : {1, 2, 16'380, 16'384, 16'390, 100'000})
      static_cast<void>(co_await exchange.write(std::string_view(piece).substr(0, size)));
    static_cast<void>(co_await exchange.end_stream());
  };
  TestServer server(stream, {}, layer());
  const auto whole =
      http::run(context_, http::fetch(context_, address(server.port()), http::ClientRequest{}, 200'000, http::soon()));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->body, std::string(1 + 2 + 16'380 + 16'384 + 16'390 + 100'000, 'y'));
}

TEST_F(TlsServer, SendsASmallPieceWithItsFramingAsOneRecord) {
  const auto stream = [](http::Exchange& exchange) -> boost::asio::awaitable<void> {
    http::Response head;
    static_cast<void>(co_await exchange.begin_stream(std::move(head)));
    static_cast<void>(co_await exchange.write("hello"));
    static_cast<void>(co_await exchange.end_stream());
  };
  TestServer server(stream, {}, layer());
  RawTls client(server.port());
  ASSERT_TRUE(client.shake_hands());
  client.send(http::request("GET /"));
  char record[1000];
  EXPECT_GT(SSL_read(client.ssl(), record, sizeof record), 0);
  const int size = SSL_read(client.ssl(), record, sizeof record);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(record, static_cast<std::size_t>(size)), "5\r\nhello\r\n");
}

TEST_F(TlsServer, SpeaksTheNewestVersionAndNoneBefore1Point2) {
  TestServer server(http::echo, {}, layer());
  RawTls newest(server.port());
  ASSERT_TRUE(newest.shake_hands());
  EXPECT_EQ(newest.version(), "TLSv1.3");
  RawTls older(server.port(), TLS1_2_VERSION);
  ASSERT_TRUE(older.shake_hands());
  older.send(http::request("GET /"));
  EXPECT_EQ(http::status_of(older.read_answer()), 200);
  RawTls oldest(server.port(), TLS1_1_VERSION);
  EXPECT_FALSE(oldest.shake_hands());
}

TEST_F(TlsServer, RenegotiatesNothing) {
  TestServer server(http::echo, {}, layer());
  RawTls client(server.port(), TLS1_2_VERSION);
  ASSERT_TRUE(client.shake_hands());
  SSL_renegotiate(client.ssl());
  EXPECT_NE(SSL_do_handshake(client.ssl()), 1);
}

TEST_F(TlsServer, CutsWhoSaysNothing) {
  TestServer server(http::echo, short_heads(), layer());
  RawClient silent(server.port());
  expect_cut_in_time(silent);
  expect_served(server);
}

TEST_F(TlsServer, CutsWhoShakesHandsAndSaysNothing) {
  TestServer server(http::echo, short_heads(), layer());
  RawTls silent(server.port());
  ASSERT_TRUE(silent.shake_hands());
  const TimePoint start = berth::now();
  EXPECT_EQ(silent.read_answer(), "");
  EXPECT_LE(berth::now() - start, kAtLast);
}

TEST_F(TlsServer, CutsWhoStopsInTheMiddleOfAHandshake) {
  TestServer server(http::echo, short_heads(), layer());
  RawClient slow(server.port());
  slow.send(std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01", 8));
  expect_cut_in_time(slow);
}

TEST_F(TlsServer, CutsWhoSendsGarbageAndServesOthers) {
  TestServer server(http::echo, {}, layer());
  for (const std::string& garbage :
       {std::string(2000, '\0'), std::string(2000, '\xff'), std::string("\x16\x03\x01\x00\x04junk", 9)}) {
    RawClient client(server.port());
    client.send(garbage);
    static_cast<void>(client.read_to_end());
  }
  EXPECT_EQ(server.refused(), 3U);
  expect_served(server);
}

TEST_F(TlsServer, TellsWhoSpeaksPlainHttpWhatToWrite) {
  TestServer server(http::echo, {}, layer());
  for (const std::string& text :
       {http::request("GET /"), http::request("DELETE /x"), http::request("POST /", "Content-Length: 3\r\n", "abc")}) {
    RawClient client(server.port());
    client.send(text);
    const std::string answer = client.read_to_end();
    EXPECT_EQ(http::status_of(answer), 400);
    EXPECT_NE(answer.find("https://"), std::string::npos) << answer;
  }
  EXPECT_EQ(server.refused(), 3U);
}

TEST_F(TlsServer, LetsNoSilentPeersKeepOthersOut) {
  http::ServerLimits limits;
  limits.max_connections = 4;
  limits.idle_when_full = 50ms;
  TestServer server(http::echo, limits, layer());
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(std::make_unique<RawClient>(server.port()));
  ASSERT_TRUE(http::eventually([&] { return server.connections() == 4; }));
  expect_served(server);
}

TEST_F(TlsServer, CutsWhoSendsNothingButControlRecordsWhileOthersAreServed) {
  TestServer server(http::echo, short_heads(), layer());
  RawTls restless(server.port());
  ASSERT_TRUE(restless.shake_hands());
  std::atomic<bool> cut = false;
  const TimePoint start = berth::now();
  std::thread flood([&] {
    while (SSL_key_update(restless.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(restless.ssl()) == 1)
      if (berth::now() - start > http::kPatience) return;
    cut = true;
  });
  expect_served(server);
  flood.join();
  EXPECT_TRUE(cut);
  EXPECT_LE(berth::now() - start, kAtLast);
}

// Takes the body and keeps what became of it.
struct BodyReader {
  http::Handler handler() {
    return [this](http::Exchange& exchange) -> boost::asio::awaitable<void> {
      const auto body = co_await exchange.read_body(1000);
      outcome = http::code_of(body);
    };
  }
  std::string outcome;
};

TEST_F(TlsServer, TakesNeitherACutNorAnEndForTheEndOfABody) {
  for (const bool says_end : {false, true}) {
    for (const char* framing : {"Transfer-Encoding: chunked\r\n", "Content-Length: 10\r\n"}) {
      BodyReader reader;
      {
        TestServer server(reader.handler(), {}, layer());
        RawTls client(server.port());
        ASSERT_TRUE(client.shake_hands());
        client.send(http::request("POST /", framing, "3\r\nabc\r\n"));
        if (says_end) client.say_end();
        client.socket().close();
        ASSERT_TRUE(http::eventually([&] { return server.connections() == 0; }));
      }
      EXPECT_EQ(reader.outcome, "disconnected") << framing << says_end;
    }
  }
}

// Answers nothing until the peer has gone.
struct Waiting {
  http::Handler handler() {
    return [this](http::Exchange& exchange) -> boost::asio::awaitable<void> {
      static_cast<void>(co_await exchange.read_body(1000));
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, http::kPatience);
      exchange.on_disconnect([&] {
        gone = true;
        timer.cancel();
      });
      waits = true;
      co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    };
  }
  std::atomic<bool> waits = false;
  std::atomic<bool> gone = false;
};

TEST_F(TlsServer, NoticesHangUpsWhileItWorks) {
  for (const bool says_end : {false, true}) {
    Waiting waiting;
    TestServer server(waiting.handler(), {}, layer());
    RawTls client(server.port());
    ASSERT_TRUE(client.shake_hands());
    client.send(http::request("GET /"));
    ASSERT_TRUE(http::eventually([&] { return waiting.waits.load(); }));
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);  // says something, and nothing about leaving
    SSL_do_handshake(client.ssl());
    EXPECT_FALSE(waiting.gone);
    if (says_end) client.say_end();
    if (!says_end) client.socket().close();
    EXPECT_TRUE(http::eventually([&] { return waiting.gone.load(); })) << says_end;
  }
}

// Streams until that fails, even when the peer says that it leaves.
struct Endless {
  http::Handler handler() {
    return [this](http::Exchange& exchange) -> boost::asio::awaitable<void> {
      static_cast<void>(co_await exchange.read_body(1000));
      exchange.on_disconnect([this] { gone = true; });
      const std::string piece(100'000, 'z');
      http::Response head;
      Expected<void> sent = co_await exchange.begin_stream(std::move(head));
      while (sent) sent = co_await exchange.write(piece);
      outcome = sent.error().code;
    };
  }
  std::string outcome;
  std::atomic<bool> gone = false;
};

TEST_F(TlsServer, CutsAReaderThatTakesNothing) {
  Endless endless;
  http::ServerLimits limits;
  limits.write_stall = kShort;
  {
    TestServer server(endless.handler(), limits, layer());
    RawTls client(server.port());
    ASSERT_TRUE(client.shake_hands());
    client.send(http::request("GET /"));
    EXPECT_TRUE(http::eventually([&] { return server.connections() == 0; }));
  }
  EXPECT_EQ(endless.outcome, "too_slow");
}

TEST_F(TlsServer, StopsSendingToWhoSaidGoodbyeAndLeft) {
  Endless endless;
  {
    TestServer server(endless.handler(), {}, layer());
    RawTls client(server.port());
    ASSERT_TRUE(client.shake_hands());
    client.send(http::request("GET /"));
    char byte = 0;
    ASSERT_EQ(SSL_read(client.ssl(), &byte, 1), 1);
    client.say_end();
    EXPECT_TRUE(http::eventually([&] { return endless.gone.load(); }));
    client.socket().reset();
    EXPECT_TRUE(http::eventually([&] { return server.connections() == 0; }));
  }
  EXPECT_EQ(endless.outcome, "disconnected");
}

TEST_F(TlsServer, SaysThatItsAnswerHasEnded) {
  TestServer server(http::echo, {}, layer());
  RawTls client(server.port());
  ASSERT_TRUE(client.shake_hands());
  client.send(http::request("GET /", "Connection: close\r\n"));
  EXPECT_EQ(http::status_of(client.read_answer()), 200);
  char byte = 0;
  EXPECT_EQ(SSL_get_error(client.ssl(), SSL_read(client.ssl(), &byte, 1)), SSL_ERROR_ZERO_RETURN);
}

TEST_F(TlsServer, ShowsANewCertificateToNewConnectionsAlone) {
  Wanted first, second;
  first.common_name = "first";
  second.common_name = "second";
  const auto shown = std::make_shared<ServerContext>(files_.server(authority_.issue(first)));
  TestServer server(http::echo, {}, [shown](int fd) { return shown->layer(fd); });
  RawTls before(server.port());
  ASSERT_TRUE(before.shake_hands());
  const ServerContext renewed = files_.server(authority_.issue(second));
  server.on_thread([&] { *shown = renewed; });
  RawTls after(server.port());
  ASSERT_TRUE(after.shake_hands());
  EXPECT_EQ(before.common_name(), "first");
  EXPECT_EQ(after.common_name(), "second");
  before.send(http::request("GET /"));
  EXPECT_EQ(http::status_of(before.read_answer()), 200);
}

}  // namespace
}  // namespace berth::tls
