// SPDX-License-Identifier: Apache-2.0
// Requests and answers that go well: order, framing, keep-alive.
#include "base/http/server.hpp"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <stdexcept>

#include "tests/unit/http/harness.hpp"

namespace berth::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

asio::awaitable<void> stream_three(Exchange& exchange) {
  Response head;
  head.content_type = kNdjsonType;
  head.fields = {{"X-Extra", "yes"}};
  static_cast<void>(co_await exchange.begin_stream(std::move(head)));
  for (const char* line : {"one\n", "", "two\n", "three\n"}) static_cast<void>(co_await exchange.write(line));
  static_cast<void>(co_await exchange.end_stream());
}

TEST(Server, AnswersOnTcpAndUnix) {
  TestServer server(echo);
  RawClient clients[] = {RawClient(server.port()), RawClient(server.unix_path())};
  for (RawClient& client : clients) {
    client.send(request("POST /a?b", "Content-Length: 3\r\n", "abc"));
    const std::string answer = client.read_answer();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_EQ(body_of(answer), "POST /a?b 3");
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(answer, HasSubstr("Date: "));
  }
}

TEST(Server, KeepsTheConnectionForManyRequests) {
  TestServer server(echo);
  RawClient client(server.port());
  for (int i = 0; i < 100; ++i) {
    client.send(request("GET /" + std::to_string(i)));
    ASSERT_EQ(body_of(client.read_answer()), "GET /" + std::to_string(i) + "? 0");
  }
  EXPECT_EQ(server.connections(), 1U);
}

TEST(Server, ServesPipelinedRequestsInOrder) {
  TestServer server(echo);
  RawClient client(server.port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += request("POST /" + std::to_string(i), "Content-Length: 4\r\n", "GET ");
  client.send(all);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(body_of(client.read_answer()), "POST /" + std::to_string(i) + "? 4");
}

TEST(Server, ClosesWhenTheClientAsksTo) {
  TestServer server(echo);
  RawClient client(server.port());
  client.send(request("GET /", "Connection: close\r\n"));
  const std::string answer = client.read_to_end();
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST(Server, ClosesAfterOldHttpUnlessAskedNotTo) {
  TestServer server(echo);
  RawClient brief(server.port());
  brief.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(brief.read_to_end()), 200);
  RawClient lasting(server.port());
  for (int i = 0; i < 2; ++i) {
    lasting.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(lasting.read_answer(), HasSubstr("Connection: keep-alive\r\n"));
  }
}

TEST(Server, AnswersHeadWithTheLengthButNoBody) {
  TestServer server(echo);
  RawClient client(server.port());
  client.send(request("HEAD /x") + request("GET /y"));
  EXPECT_THAT(client.read_answer(true), HasSubstr("Content-Length: 10\r\n"));
  EXPECT_EQ(body_of(client.read_answer()), "GET /y? 0");
}

TEST(Server, SendsNoBodyWithNoContent) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    static_cast<void>(co_await exchange.respond(reply("ignored", 204)));
  });
  RawClient client(server.port());
  client.send(request("DELETE /") + request("DELETE /"));
  EXPECT_THAT(client.read_answer(), AllOf(EndsWith("\r\n\r\n"), Not(HasSubstr("Content-Length"))));
  EXPECT_EQ(status_of(client.read_answer()), 204);
}

TEST(Server, StreamsInChunks) {
  TestServer server(stream_three);
  RawClient client(server.port());
  client.send(request("GET /") + request("GET /"));
  for (int i = 0; i < 2; ++i) {
    const std::string answer = client.read_answer();
    EXPECT_EQ(body_of(answer), "4\r\none\n\r\n4\r\ntwo\n\r\n6\r\nthree\n\r\n0\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("X-Extra: yes\r\n"));
  }
}

TEST(Server, StreamsToOldHttpUntilTheEnd) {
  TestServer server(stream_three);
  RawClient client(server.port());
  client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_EQ(body_of(answer), "one\ntwo\nthree\n");
  EXPECT_THAT(answer, Not(HasSubstr("chunked")));
}

TEST(Server, StreamsNothingToHead) {
  TestServer server(stream_three);
  RawClient client(server.port());
  client.send(request("HEAD /") + request("HEAD /"));
  EXPECT_EQ(body_of(client.read_answer(true)), "");
  EXPECT_EQ(status_of(client.read_answer(true)), 200);
}

asio::awaitable<void> stream_sized(Exchange& exchange, std::uint64_t length, std::string_view data) {
  Response head;
  static_cast<void>(co_await exchange.begin_stream(std::move(head), length));
  static_cast<void>(co_await exchange.write(data));
  static_cast<void>(co_await exchange.end_stream());
}

TEST(Server, StreamsAKnownLength) {
  TestServer server([](Exchange& exchange) { return stream_sized(exchange, 5, "hello"); });
  RawClient client(server.port());
  client.send(request("GET /") + request("GET /"));
  EXPECT_EQ(body_of(client.read_answer()), "hello");
  EXPECT_EQ(body_of(client.read_answer()), "hello");
}

TEST(Server, CutsAStreamThatIsShorterOrLongerThanAnnounced) {
  for (const std::string_view data : {"hell", "hello!"}) {
    TestServer server([data](Exchange& exchange) { return stream_sized(exchange, 5, data); });
    RawClient client(server.port());
    client.send(request("GET /") + request("GET /"));
    const std::string all = client.read_to_end();
    EXPECT_LT(body_of(all).size(), 5U) << "the client must be able to see that it is incomplete";
  }
}

asio::awaitable<void> end_with(Exchange& exchange, std::optional<std::uint64_t> length, std::string_view last) {
  Response head;
  static_cast<void>(co_await exchange.begin_stream(std::move(head), length));
  static_cast<void>(co_await exchange.write("a"));
  static_cast<void>(co_await exchange.end_stream(last));
}

TEST(Server, SendsTheLastPieceOfAStreamWithItsEnd) {
  TestServer chunked([](Exchange& exchange) { return end_with(exchange, {}, "bcd"); });
  RawClient first(chunked.port());
  first.send(request("GET /") + request("HEAD /"));
  EXPECT_EQ(body_of(first.read_answer()), "1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n");
  EXPECT_EQ(body_of(first.read_answer(true)), "");
  TestServer sized([](Exchange& exchange) { return end_with(exchange, 4, "bcd"); });
  RawClient second(sized.port());
  second.send(request("GET /") + request("GET /"));
  EXPECT_EQ(body_of(second.read_answer()), "abcd");
  EXPECT_EQ(body_of(second.read_answer()), "abcd");
}

TEST(Server, CutsAStreamWhoseLastPieceIsShorterOrLongerThanAnnounced) {
  for (const std::string_view last : {"bc", "bcde"}) {
    TestServer server([last](Exchange& exchange) { return end_with(exchange, 4, last); });
    RawClient client(server.port());
    client.send(request("GET /") + request("GET /"));
    EXPECT_LT(body_of(client.read_to_end()).size(), 4U);
  }
}

TEST(Server, CutsAStreamThatTheHandlerLeftOpen) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    Response head;
    static_cast<void>(co_await exchange.begin_stream(std::move(head)));
    static_cast<void>(co_await exchange.write("part"));
  });
  RawClient client(server.port());
  client.send(request("GET /"));
  EXPECT_THAT(client.read_to_end(), Not(HasSubstr("0\r\n\r\n")));
}

TEST(Server, TurnsAnExceptionIntoAnswer500) {
  TestServer server([](Exchange&) -> asio::awaitable<void> {
    throw std::runtime_error("secret detail");
    co_return;
  });
  RawClient client(server.port());
  client.send(request("GET /"));
  const std::string answer = client.read_to_end();
  EXPECT_EQ(status_of(answer), 500);
  EXPECT_EQ(body_of(answer), R"({"success": false, "error": "internal error"})");
}

TEST(Server, Answers500WhenTheHandlerAnswersNothing) {
  TestServer server([](Exchange&) -> asio::awaitable<void> { co_return; });
  RawClient client(server.port());
  client.send(request("GET /"));
  EXPECT_EQ(status_of(client.read_to_end()), 500);
}

TEST(Server, RefusesASecondAnswer) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    Response first = reply("first");
    Response second = reply("second");
    Response third = reply("third");
    const Expected<void> sent = co_await exchange.respond(std::move(first));
    const Expected<void> again = co_await exchange.respond(std::move(second));
    const Expected<void> streamed = co_await exchange.begin_stream(std::move(third));
    const Expected<void> written = co_await exchange.write("fourth");
    EXPECT_TRUE(sent);
    EXPECT_FALSE(again);
    EXPECT_FALSE(streamed);
    EXPECT_FALSE(written);
  });
  RawClient client(server.port());
  client.send(request("GET /", "Connection: close\r\n"));
  EXPECT_EQ(body_of(client.read_to_end()), "first");
}

TEST(Server, KeepsExtraFieldsOnTheirLineAndFramingToItself) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    Response response;
    response.fields = {
        {"X-A", "1\r\nInjected: yes"}, {"Bad Name", "x"}, {"content-length", "99"}, {"Transfer-Encoding", "x"}};
    static_cast<void>(co_await exchange.respond(std::move(response)));
  });
  RawClient client(server.port());
  client.send(request("GET /"));
  const std::string answer = client.read_answer();
  EXPECT_THAT(answer, HasSubstr("X-A: 1  Injected: yes\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("\r\nInjected")));
  EXPECT_THAT(answer, AllOf(Not(HasSubstr("Bad Name")), Not(HasSubstr("99")), Not(HasSubstr("Transfer"))));
}

TEST(Server, AsksForTheBodyOnlyWhenTheHandlerReadsIt) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    if (exchange.head().path == "/refuse") {
      static_cast<void>(co_await exchange.respond(reply("", 401)));
    } else {
      co_await echo(exchange);
    }
  });
  const std::string_view extra = "Content-Length: 5\r\nExpect: 100-continue\r\n";
  RawClient reader(server.port());
  reader.send(request("PUT /read", extra));
  EXPECT_EQ(reader.read_answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  reader.send("hello");
  EXPECT_EQ(body_of(reader.read_answer()), "PUT /read? 5");

  RawClient refused(server.port());
  refused.send(request("PUT /refuse", extra));
  EXPECT_EQ(status_of(refused.read_to_end()), 401) << "closes: nobody knows whether the body will come";
}

TEST(Server, DoesNotAskForABodyThatIsAlreadyThere) {
  TestServer server(echo);
  RawClient client(server.port());
  client.send(request("PUT /", "Content-Length: 5\r\nExpect: 100-continue\r\n", "hello"));
  EXPECT_EQ(status_of(client.read_answer()), 200);
}

TEST(Server, ReadsABodyInParts) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    std::array<char, 1000> part;
    std::size_t total = 0;
    while (true) {
      const auto count = co_await exchange.read_some(part);
      if (!count || *count == 0) break;
      total += *count;
    }
    static_cast<void>(co_await exchange.respond(reply(std::to_string(total))));
  });
  RawClient client(server.port());
  client.send(request("PUT /", "Content-Length: 3000000\r\n", std::string(3'000'000, 'x')));
  EXPECT_EQ(body_of(client.read_answer()), "3000000");
  client.send(request("PUT /", "Transfer-Encoding: chunked\r\n",
                      "3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\ny\r\n0\r\n\r\n"));
  EXPECT_EQ(body_of(client.read_answer()), "1001");
}

TEST(Server, NeverMergesTrailersIntoTheHead) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    static_cast<void>(co_await exchange.read_body(100));
    const bool merged = exchange.head().field("authorization").has_value();
    static_cast<void>(co_await exchange.respond(reply(merged ? "merged" : "dropped")));
  });
  RawClient client(server.port());
  client.send(request("POST /", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n") +
              request("GET /"));
  EXPECT_EQ(body_of(client.read_answer()), "dropped");
  EXPECT_EQ(body_of(client.read_answer()), "dropped");
}

TEST(Server, DrainsASmallUnreadBodyAndGoesOn) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    static_cast<void>(co_await exchange.respond(reply(exchange.head().path)));
  });
  RawClient client(server.port());
  client.send(request("POST /1", "Content-Length: 60000\r\n", std::string(60'000, 'x')));
  client.send(request("POST /2", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") + request("GET /3"));
  for (const char* path : {"/1", "/2", "/3"}) EXPECT_EQ(body_of(client.read_answer()), path);
}

TEST(Server, ClosesAfterALargeUnreadBodyWithoutLosingTheAnswer) {
  TestServer server([](Exchange& exchange) -> asio::awaitable<void> {
    static_cast<void>(co_await exchange.respond(reply("early")));
  });
  RawClient client(server.port());
  EXPECT_TRUE(client.send(request("POST /", "Content-Length: 4000000\r\n", std::string(4'000'000, 'x'))))
      << "a client that sends everything first would never read the answer";
  EXPECT_EQ(body_of(client.read_to_end()), "early");
}

}  // namespace
}  // namespace berth::http
