// SPDX-License-Identifier: Apache-2.0
// The client against our own server, on TCP and on a unix socket.
#include "base/http/client.hpp"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>

#include "tests/unit/http/harness.hpp"
#include "tests/unit/http/run.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

ClientRequest post_request(std::string target, std::string body) {
  ClientRequest made;
  made.method = "POST";
  made.target = std::move(target);
  made.body = std::move(body);
  return made;
}

ClientRequest get_request(std::string target) {
  ClientRequest made;
  made.target = std::move(target);
  return made;
}

enum class Way { tcp, unix_socket };

class Client : public ::testing::TestWithParam<Way> {
 protected:
  [[nodiscard]] static Address address_of(const TestServer& server) {
    if (GetParam() == Way::tcp) return Address{{}, "127.0.0.1", server.port()};
    return Address{server.unix_path(), {}, 0};
  }
  asio::io_context context_;
};

INSTANTIATE_TEST_SUITE_P(Over, Client, ::testing::Values(Way::tcp, Way::unix_socket),
                         [](const auto& named) { return named.param == Way::tcp ? "Tcp" : "Unix"; });

TEST_P(Client, FetchesAnAnswer) {
  TestServer server(echo);
  const auto whole = run(context_, fetch(context_, address_of(server), post_request("/a?b", "hello"), 1000, soon()));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->head.status, 200);
  EXPECT_EQ(whole->body, "POST /a?b 5");
  EXPECT_EQ(whole->head.field("content-type"), std::string_view(kTextType));
}

TEST_P(Client, UsesOneConnectionForManyRequests) {
  TestServer server(echo);
  ClientConnection client(context_, address_of(server));
  for (int i = 0; i < 20; ++i) {
    const ClientRequest sent = post_request("/" + std::to_string(i), "x");
    ASSERT_TRUE(run(context_, client.send(sent, soon())));
    const auto body = run(context_, client.read_body(1000, soon()));
    ASSERT_TRUE(body);
    ASSERT_EQ(*body, "POST /" + std::to_string(i) + "? 1");
  }
  EXPECT_EQ(server.connections(), 1U);
  EXPECT_TRUE(client.is_open());
}

TEST_P(Client, SendsAndReadsLargeBodies) {
  const std::size_t size = 5'000'000;
  TestServer server([&](Exchange& exchange) -> asio::awaitable<void> {
    Expected<std::string> body = co_await exchange.read_body(size);
    Response response = reply(std::move(body.value()));
    static_cast<void>(co_await exchange.respond(std::move(response)));
  });
  std::string sent(size, 'x');
  for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<char>(i * 7);
  const auto whole = run(context_, fetch(context_, address_of(server), post_request("/", sent), size, soon()));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_TRUE(whole->body == sent);
}

asio::awaitable<void> stream_lines(Exchange& exchange) {
  Response head;
  static_cast<void>(co_await exchange.begin_stream(std::move(head)));
  for (const char* part : {"one\ntw", "o\n\nthr", "ee"}) static_cast<void>(co_await exchange.write(part));
  static_cast<void>(co_await exchange.end_stream());
}

TEST_P(Client, ReadsLinesAsTheyAreStreamed) {
  TestServer server(stream_lines);
  ClientConnection client(context_, address_of(server));
  const ClientRequest sent = get_request("/");
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(run(context_, client.send(sent, soon())));
    for (const char* line : {"one", "two", "", "three"}) {
      const auto read = run(context_, client.read_line(100, soon()));
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(*read, line);
    }
    const auto end = run(context_, client.read_line(100, soon()));
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, std::nullopt);
  }
}

TEST_P(Client, MixesLinesAndParts) {
  TestServer server(stream_lines);
  ClientConnection client(context_, address_of(server));
  const ClientRequest sent = get_request("/");
  ASSERT_TRUE(run(context_, client.send(sent, soon())));
  ASSERT_EQ(run(context_, client.read_line(100, soon())).value(), "one");
  EXPECT_EQ(run(context_, client.read_body(100, soon())).value(), "two\n\nthree");
}

TEST_P(Client, BoundsPartsLinesAndBodies) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    Response response = reply(std::string(1000, 'x'));
    static_cast<void>(co_await exchange.respond(std::move(response)));
  });
  const ClientRequest sent = get_request("/");
  ClientConnection parts(context_, address_of(server));
  ASSERT_TRUE(run(context_, parts.send(sent, soon())));
  EXPECT_LE(run(context_, parts.read_some(10, soon())).value().size(), 10U);

  ClientConnection line(context_, address_of(server));
  ASSERT_TRUE(run(context_, line.send(sent, soon())));
  EXPECT_EQ(code_of(run(context_, line.read_line(999, soon()))), "protocol");
  EXPECT_FALSE(line.is_open());

  EXPECT_EQ(code_of(run(context_, fetch(context_, address_of(server), sent, 999, soon()))), "protocol");
  EXPECT_TRUE(run(context_, fetch(context_, address_of(server), sent, 1000, soon())));
}

TEST_P(Client, AnswersNothingToHead) {
  TestServer server(echo);
  ClientConnection client(context_, address_of(server));
  ClientRequest sent = get_request("/");
  sent.method = "HEAD";
  for (int i = 0; i < 2; ++i) {
    const auto head = run(context_, client.send(sent, soon()));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->field("content-length"), "9");
    EXPECT_EQ(run(context_, client.read_body(10, soon())).value(), "");
  }
  EXPECT_EQ(server.connections(), 1U);
}

TEST_P(Client, ReplacesAConnectionThatTheServerClosedWhileIdle) {
  ServerLimits limits;
  limits.idle_timeout = 20ms;
  TestServer server(echo, limits);
  ClientConnection client(context_, address_of(server));
  for (int i = 0; i < 3; ++i) {
    const ClientRequest sent = post_request("/", "x");
    ASSERT_TRUE(run(context_, client.send(sent, soon()))) << i;
    ASSERT_TRUE(run(context_, client.read_body(100, soon())));
    ASSERT_TRUE(eventually([&] { return server.connections() == 0; }));
  }
}

TEST_P(Client, StartsAfreshWhenAnAnswerWasLeftUnread) {
  TestServer server(echo);
  ClientConnection client(context_, address_of(server));
  const ClientRequest first = get_request("/first");
  const ClientRequest second = get_request("/second");
  ASSERT_TRUE(run(context_, client.send(first, soon())));
  ASSERT_TRUE(run(context_, client.send(second, soon())));
  EXPECT_EQ(run(context_, client.read_body(100, soon())).value(), "GET /second? 0");
}

TEST_P(Client, ReadsAnEarlyRefusalOfALargeBody) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    Response response = reply("too much", 413);
    static_cast<void>(co_await exchange.respond(std::move(response)));
  });
  const auto whole =
      run(context_, fetch(context_, address_of(server), post_request("/", std::string(8'000'000, 'x')), 100, soon()));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->head.status, 413);
  EXPECT_EQ(whole->body, "too much");
}

asio::awaitable<void> answer_never(Exchange& exchange) {
  asio::steady_timer timer(co_await asio::this_coro::executor, TimePoint::max());
  exchange.on_disconnect([&] { timer.cancel(); });
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

TEST_P(Client, GivesUpAtTheDeadline) {
  TestServer server(answer_never);
  const auto start = std::chrono::steady_clock::now();
  const auto whole = run(context_, fetch(context_, address_of(server), get_request("/"), 100, Deadline(start + 100ms)));
  EXPECT_EQ(code_of(whole), "timeout");
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, 100ms);
  EXPECT_LT(took, 500ms);
}

TEST_P(Client, GivesUpInTheMiddleOfABody) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    Response head;
    static_cast<void>(co_await exchange.begin_stream(std::move(head)));
    static_cast<void>(co_await exchange.write("half"));
    co_await answer_never(exchange);
  });
  ClientConnection client(context_, address_of(server));
  const ClientRequest sent = get_request("/");
  ASSERT_TRUE(run(context_, client.send(sent, soon())));
  const Deadline deadline(std::chrono::steady_clock::now() + 50ms);
  EXPECT_EQ(code_of(run(context_, client.read_body(100, deadline))), "timeout");
  EXPECT_FALSE(client.is_open());
}

TEST_P(Client, CloseEndsAPendingCall) {
  TestServer server(answer_never);
  ClientConnection client(context_, address_of(server));
  asio::steady_timer timer(context_, 20ms);
  timer.async_wait([&](const auto&) { client.close(); });
  const ClientRequest sent = get_request("/");
  EXPECT_EQ(code_of(run(context_, client.send(sent, soon()))), "transport");
}

TEST_P(Client, MayBeDestroyedInTheMiddleOfACall) {
  TestServer server(answer_never);
  auto client = std::make_unique<ClientConnection>(context_, address_of(server));
  asio::steady_timer timer(context_, 20ms);
  timer.async_wait([&](const auto&) { client.reset(); });
  const ClientRequest sent = get_request("/");
  EXPECT_EQ(code_of(run(context_, client->send(sent, soon()))), "transport");
}

TEST_P(Client, SaysConnectWhenNobodyListens) {
  Address address;
  {
    TestServer server(echo);
    address = address_of(server);
  }
  const auto whole = run(context_, fetch(context_, address, get_request("/"), 100, soon()));
  EXPECT_EQ(code_of(whole), "connect");
}

// The socket and its timer used to stay until the deadline.
TEST(ClientConnect, LeavesNothingBehindWhenNobodyListens) {
  asio::io_context context;
  {
    ClientConnection client(context, Address{{}, "127.0.0.1", 1});
    const Deadline late(std::chrono::steady_clock::now() + kPatience);
    EXPECT_EQ(code_of(run(context, client.open(late))), "connect");
  }
  context.restart();
  context.run_for(1s);
  EXPECT_TRUE(context.stopped());
}

TEST(ClientNames, AreLookedUp) {
  asio::io_context context;
  TestServer server(echo);
  const auto whole =
      run(context, fetch(context, Address{{}, "localhost", server.port()}, get_request("/"), 100, soon()));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->head.status, 200);
}

TEST(ClientRequests, NeverLeaveTheirLine) {
  asio::io_context context;
  const Address nowhere{"/nonexistent", {}, 0};
  std::vector<ClientRequest> bad(6, get_request("/"));
  bad[0].method = "GET / HTTP/1.1\r\nX: y";
  bad[1].target = "/a b";
  bad[2].target = "/\r\nX: y";
  bad[3].target = "http://other/";
  bad[4].fields = {{"X", "a\r\nY: b"}};
  bad[5].fields = {{"Content-Length", "5"}};
  for (const ClientRequest& sent : bad) {
    EXPECT_EQ(code_of(run(context, fetch(context, nowhere, sent, 100, soon()))), "protocol") << sent.target;
  }
}

struct AddressCase {
  const char* text;
  const char* unix_path;
  const char* host;
  int port;
};

TEST(ParseAddress, KnowsTheForms) {
  const AddressCase cases[] = {
      {"unix:/run/sock", "/run/sock", "", 0},        {"unix:///var/run/docker.sock", "/var/run/docker.sock", "", 0},
      {"http://host:8080", "", "host", 8080},        {"http://127.0.0.1:1/", "", "127.0.0.1", 1},
      {"http://[::1]:8080", "", "::1", 8080},        {"http://host", "", "host", 80},
      {"tcp://10.0.0.1:2375", "", "10.0.0.1", 2375},
  };
  for (const AddressCase& c : cases) {
    const Expected<Address> address = parse_address(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->unix_path, c.unix_path);
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
    EXPECT_FALSE(address->layer);
  }
}

TEST(ParseAddress, TakesHttpsWhereTlsIsSpoken) {
  const DialLayer tls = [](int, const std::string&) { return nullptr; };
  const Expected<Address> address = parse_address("https://host", tls);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->port, 443);
  EXPECT_TRUE(address->layer);
  EXPECT_FALSE(parse_address("http://host", tls)->layer);
}

TEST(ParseAddress, RefusesTheRest) {
  const std::string long_path = "unix:/" + std::string(120, 'x');
  const std::string_view texts[] = {"",
                                    "host:80",
                                    "https://host",
                                    "http://",
                                    "http://host:",
                                    "http://host:0",
                                    "http://host:65536",
                                    "http://host:-1",
                                    "http://host:8a",
                                    "http://host/path",
                                    "http://user@host",
                                    "http://a b",
                                    "http://[::1",
                                    "http://[::1]8080",
                                    "unix:",
                                    std::string_view(long_path)};
  for (const std::string_view text : texts) {
    const Expected<Address> address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_FALSE(address.error().hint.empty());
  }
}

}  // namespace
}  // namespace berth::http
