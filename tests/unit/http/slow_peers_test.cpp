// SPDX-License-Identifier: Apache-2.0
// Peers that are slow or greedy.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <gmock/gmock.h>

#include "tests/unit/http/waiters.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Only the limit under test is short, so that a busy machine does not trip over another one.
ServerLimits short_limit(std::chrono::milliseconds ServerLimits::*limit, std::chrono::milliseconds value = 50ms) {
  ServerLimits limits;
  limits.*limit = value;
  return limits;
}

TEST(SlowPeer, IsCutInTheMiddleOfAHead) {
  TestServer server(echo, short_limit(&ServerLimits::head_timeout));
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(status_of(client.read_to_end()), 408);
}

TEST(SlowPeer, GainsNothingByDripping) {
  TestServer server(echo, short_limit(&ServerLimits::head_timeout));
  RawClient client(server.unix_path());
  const auto start = std::chrono::steady_clock::now();
  client.send("GET / HTTP/1.1\r\nX: ");
  while (std::chrono::steady_clock::now() - start < 5s && server.connections() > 0) {
    client.send("a");
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(status_of(client.read_to_end()), 408);
}

TEST(SlowPeer, IsClosedSilentlyWhenItSaysNothing) {
  TestServer strict(echo, short_limit(&ServerLimits::head_timeout));
  RawClient fresh(strict.port());
  EXPECT_EQ(fresh.read_to_end(), "");
  TestServer server(echo, short_limit(&ServerLimits::idle_timeout));
  RawClient idle(server.port());
  idle.send(request("GET /"));
  EXPECT_EQ(status_of(idle.read_answer()), 200);
  EXPECT_EQ(idle.read_to_end(), "");
}

TEST(SlowPeer, IsCutInTheMiddleOfABody) {
  TestServer server(echo, short_limit(&ServerLimits::body_grace));
  for (const char* framing : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient client(server.port());
    client.send(request("POST /", framing, "3"));
    const std::string all = client.read_to_end();
    EXPECT_EQ(status_of(all), 408);
    EXPECT_THAT(all, HasSubstr("too slowly"));
  }
}

TEST(SlowPeer, IsCutWhenItTakesNothing) {
  std::atomic<bool> too_slow{false};
  TestServer server(
      [&](Exchange& exchange) -> asio::awaitable<void> {
        const Expected<void> sent = co_await exchange.respond(reply(std::string(std::size_t{64} << 20, 'x')));
        too_slow = !sent && sent.error().code == "too_slow";
      },
      short_limit(&ServerLimits::write_stall));
  RawClient client(server.port());
  client.send(request("GET /"));
  EXPECT_TRUE(eventually([&] { return too_slow.load(); }));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

// How a reader fared that took a part now and then for longer than the server waits for one that takes nothing.
struct SlowRead {
  std::chrono::steady_clock::duration longest_pause{};
  std::size_t bytes = 0;
};

SlowRead read_slowly(TestServer& server, std::chrono::milliseconds in_all) {
  RawClient client(server.port());
  client.send(request("GET /"));
  SlowRead read;
  const auto start = std::chrono::steady_clock::now();
  for (auto last = start; last - start < in_all;) {
    // Nothing is waited for: that time passes between two parts is the subject.
    pollfd nothing{-1, 0, 0};
    ::poll(&nothing, 1, 50);
    client.take_part();
    const auto now = std::chrono::steady_clock::now();
    read.longest_pause = std::max(read.longest_pause, now - std::exchange(last, now));
  }
  read.bytes = body_of(client.read_answer()).size();
  return read;
}

TEST(SlowPeer, MayTakeAsLongAsItKeepsTaking) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  constexpr auto kStall = 1s;
  TestServer server(
      [&](Exchange& exchange) -> asio::awaitable<void> {
        Response response = reply(std::string(kBytes, 'x'));
        static_cast<void>(co_await exchange.respond(std::move(response)));
      },
      short_limit(&ServerLimits::write_stall, kStall));
  // A busy machine may stop this thread for longer than the server is patient: then nothing was shown, so again.
  EXPECT_TRUE(eventually([&] {
    const SlowRead read = read_slowly(server, kStall * 3 / 2);
    EXPECT_TRUE(read.bytes == kBytes || read.longest_pause >= kStall / 2) << read.bytes;
    return read.bytes == kBytes;
  }));
}

TEST(SlowPeer, IsCutWhenItStopsInTheMiddleOfABodyThatCameFast) {
  TestServer server(
      [](Exchange& exchange) -> asio::awaitable<void> {
        static_cast<void>(co_await exchange.read_body(std::size_t{8} << 20));
      },
      short_limit(&ServerLimits::body_stall));
  RawClient client(server.port());
  client.send(request("POST /", "Content-Length: 8000000\r\n", std::string(std::size_t{4} << 20, 'x')));
  EXPECT_EQ(status_of(client.read_to_end()), 408);
}

TEST(LargeBody, WaitsForNobodyWhenOthersFillTheMemory) {
  constexpr std::size_t kLarge = std::size_t{1} << 20;
  ServerLimits limits;
  limits.body_memory = kLarge * 3 / 2;
  Waiters waiters;
  TestServer server(
      [&](Exchange& exchange) -> asio::awaitable<void> {
        const auto body = co_await exchange.read_body(kLarge);
        if (body && exchange.head().path == "/hold") co_await waiters(exchange);
        if (body && exchange.head().path == "/used") exchange.body_used();
        if (body && exchange.head().path == "/used") co_await waiters(exchange);
        if (body) static_cast<void>(co_await exchange.respond(reply("taken")));
      },
      limits);
  const std::string large(kLarge, 'x');
  const std::string length = "Content-Length: " + std::to_string(kLarge) + "\r\n";
  RawClient used(server.port());
  used.send(request("POST /used", length, large));
  ASSERT_TRUE(eventually([&] { return waiters.waiting == 1; }));
  RawClient held(server.port());
  held.send(request("POST /hold", length, large));
  ASSERT_TRUE(eventually([&] { return waiters.waiting == 2; }));

  RawClient refused(server.port());
  refused.send(request("POST /", length, large));
  EXPECT_EQ(status_of(refused.read_to_end()), 429);
  RawClient small(server.port());
  small.send(request("POST /", "Content-Length: 2\r\n", "ab"));
  EXPECT_EQ(status_of(small.read_answer()), 200) << "small ones always pass";
  held.close();
  EXPECT_TRUE(eventually([&] {
    RawClient later(server.port());
    later.send(request("POST /", length, large));
    return status_of(later.read_answer()) == 200;
  }));
}

TEST(LargeBody, IsRefusedByItsLengthBeforeItIsRead) {
  std::string code;
  TestServer server([&](Exchange& exchange) -> asio::awaitable<void> {
    const auto body = co_await exchange.read_body(1000);
    if (!body) code = body.error().code;
  });
  RawClient client(server.port());
  client.send(request("POST /", "Content-Length: 1001\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(status_of(client.read_to_end()), 413);
  EXPECT_EQ(code, "body_too_large");
}

TEST(LargeBody, IsRefusedAtTheLimitWhenItsLengthIsUnknown) {
  TestServer server(
      [](Exchange& exchange) -> asio::awaitable<void> { static_cast<void>(co_await exchange.read_body(1000)); });
  RawClient client(server.port());
  client.send(request("POST /", "Transfer-Encoding: chunked\r\n"));
  for (int i = 0; i < 1000; ++i) client.send("1000\r\n" + std::string(0x1000, 'x') + "\r\n");
  EXPECT_EQ(status_of(client.read_to_end()), 413);
}

TEST(LargeBody, MayBeExactlyTheLimit) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    const auto body = co_await exchange.read_body(1000);
    static_cast<void>(co_await exchange.respond(reply("", body ? 200 : 413)));
  });
  RawClient client(server.port());
  client.send(
      request("POST /", "Transfer-Encoding: chunked\r\n", "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n"));
  EXPECT_EQ(status_of(client.read_answer()), 200);
  client.send(request("POST /", "Content-Length: 1000\r\n", std::string(1000, 'x')));
  EXPECT_EQ(status_of(client.read_answer()), 200);
}

}  // namespace
}  // namespace berth::http
