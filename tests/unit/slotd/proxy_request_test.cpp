// SPDX-License-Identifier: Apache-2.0
// What a proxy takes for a request, what goes on from it, and what it counts.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.hpp"
#include "slotd/proxy/request.hpp"
#include "slotd/proxy/traffic.hpp"

namespace berth::slotd::proxy {
namespace {

std::string get(const std::string& target, const std::string& host, const std::string& more = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n";
}

http::ParsedResponse answer(const std::string& text, bool head_request = false) {
  auto parsed = http::parse_response_head(text, head_request);
  EXPECT_TRUE(parsed) << text;
  return *std::move(parsed);
}

TEST(ProxyRequest, AnAbsoluteTargetIsTakenApart) {
  const auto request = parse_proxy_request(get("http://A.test/p%20q?x=http://b.test/", "a.TEST"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_FALSE(request->connect);
  EXPECT_EQ(to_string(request->destination), "a.test:80");
  EXPECT_EQ(head_for_destination(*request),
            "GET /p%20q?x=http://b.test/ HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n");
}

TEST(ProxyRequest, ATargetWithoutAPathIsTheRoot) {
  EXPECT_EQ(parse_proxy_request(get("HTTP://a.test:81", "a.test:81"))->head.path, "/");
  const auto request = parse_proxy_request(get("http://a.test?q", "a.test"));
  ASSERT_TRUE(request);
  EXPECT_EQ(head_for_destination(*request).substr(0, 19), "GET /?q HTTP/1.1\r\nh");
}

TEST(ProxyRequest, AnAddressInBracketsKeepsThem) {
  const auto request = parse_proxy_request(get("http://[2001:DB8::1]:8080/", "[2001:db8::1]:8080"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_NE(head_for_destination(*request).find("\r\nhost: [2001:db8::1]:8080\r\n"), std::string::npos);
}

TEST(ProxyRequest, ATunnelNamesItsPort) {
  const auto request = parse_proxy_request("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->connect);
  EXPECT_EQ(to_string(request->destination), "a.test:443");
}

// As Python's urllib and old clients write it.
TEST(ProxyRequest, ClientsOfHttp10MayLeaveTheHostAway) {
  EXPECT_TRUE(parse_proxy_request("CONNECT a.test:443 HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(parse_proxy_request("GET http://a.test/ HTTP/1.0\r\n\r\n"));
  EXPECT_FALSE(parse_proxy_request("GET http://a.test/ HTTP/1.0\r\nHost: b.test\r\n\r\n"));
  EXPECT_FALSE(parse_proxy_request("GET http://a.test/ HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(parse_proxy_request("CONNECT a.test:443 HTTP/1.1\r\n\r\n"));
}

class AmbiguousRequest : public ::testing::TestWithParam<const char*> {};
TEST_P(AmbiguousRequest, IsRefused) {
  EXPECT_FALSE(parse_proxy_request(GetParam())) << GetParam();
}
INSTANTIATE_TEST_SUITE_P(
    Targets, AmbiguousRequest,
    ::testing::Values(
        "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET * HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET //a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http:a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET http:/a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET http://:80/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test\\@b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test#@b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://b.test@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test:80@b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test./ HTTP/1.1\r\nHost: a.test.\r\n\r\n",
        "GET http://a%2etest/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET http://a.test:/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test/ x HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET  http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET\thttp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET http://a.test/\r\nHost: a.test\r\n\r\n",
        "GET http://a.test/ HTTP/1.2\r\nHost: a.test\r\n\r\n", "connect a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", "CONNECT a.test:443/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT http://a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT b@a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test:443,b.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"));
INSTANTIATE_TEST_SUITE_P(
    Fields, AmbiguousRequest,
    ::testing::Values(
        "GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", "GET http://a.test/ HTTP/1.1\r\nHost: a.test:81\r\n\r\n",
        "GET http://a.test:81/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n",
        "GET http://a.test/ HTTP/1.0\r\nhost: a.test\r\nHost: b.test\r\n\r\n",
        "GET http://a.test/ HTTP/1.1\r\n Host: a.test\r\n\r\n", "GET http://a.test/ HTTP/1.1\r\nHost : a.test\r\n\r\n",
        "GET http://a.test/ HTTP/1.0\r\nHost : b.test\r\n\r\n",
        "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nA: b\r\n c\r\n\r\n",
        "GET http://a.test/ HTTP/1.1\r\nHost:\r\n\r\n", "GET http://a.test/ HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n",
        "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1, 1\r\n\r\n",
        "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST http://a.test/ HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:80\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"));

TEST(ProxyRequest, FieldsOfOneHopAndThoseItNamesStayHere) {
  const auto request = parse_proxy_request(
      get("http://a.test/", "a.test",
          "Connection: keep-alive, X-Hop, Authorization\r\nKeep-Alive: 5\r\nX-Hop: 1\r\nProxy-Authorization: s\r\nTE: "
          "trailers\r\n"
          "Trailer: x\r\nUpgrade: h2c\r\nExpect: 100-continue\r\nAuthorization: a\r\nX-Kept: 1\r\nCookie: c\r\n"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(head_for_destination(*request),
            "GET / HTTP/1.1\r\nhost: a.test\r\nx-kept: 1\r\ncookie: c\r\nconnection: close\r\n\r\n");
}

TEST(ProxyRequest, NamingTheFramingInConnectionChangesNothing) {
  const auto request = parse_proxy_request(
      "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: content-length, host\r\n\r\n");
  ASSERT_TRUE(request);
  const auto head = head_for_destination(*request);
  EXPECT_NE(head.find("\r\ncontent-length: 3\r\n"), std::string::npos);
  EXPECT_NE(head.find("\r\nhost: a.test\r\n"), std::string::npos);
}

TEST(ProxyAnswer, KeepsItsFramingWhereItHasOne) {
  const auto request = *parse_proxy_request(get("http://a.test/", "a.test"));
  const auto sized = answer(
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\nA: 1\r\nSet-Cookie: x\r\nSet-Cookie: y\r\n\r\n");
  const auto delivery = delivery_of(request, sized);
  EXPECT_TRUE(delivery.keep_alive);
  EXPECT_EQ(head_for_client(sized, delivery, true),
            "HTTP/1.1 200 OK\r\na: 1\r\nset-cookie: x\r\nset-cookie: y\r\ncontent-length: 3\r\n\r\n");
}

TEST(ProxyAnswer, WithoutALengthIsChunkedOrEndsWithTheConnection) {
  const auto modern = *parse_proxy_request(get("http://a.test/", "a.test"));
  const auto old = *parse_proxy_request("GET http://a.test/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  for (const char* text : {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    EXPECT_TRUE(delivery_of(modern, answer(text)).chunked) << text;
    EXPECT_TRUE(delivery_of(modern, answer(text)).keep_alive) << text;
    EXPECT_FALSE(delivery_of(old, answer(text)).chunked) << text;
    EXPECT_FALSE(delivery_of(old, answer(text)).keep_alive) << text;
  }
}

TEST(ProxyAnswer, WithoutABodySaysNoMoreThanItsLength) {
  const auto head = *parse_proxy_request("HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
  const auto sized = answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true);
  EXPECT_EQ(head_for_client(sized, delivery_of(head, sized), true), "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
  const auto chunked = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true);
  EXPECT_FALSE(delivery_of(head, chunked).chunked);
  const auto empty = answer("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(head_for_client(empty, delivery_of(head, empty), true), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(ProxyRefusal, IsAWholeAnswer) {
  EXPECT_EQ(refusal_text(403, "not_listed", "no"),
            "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\nberth-refused: not_listed\r\n"
            "content-length: 10\r\nconnection: close\r\n\r\nberth: no\n");
}

TEST(Tally, AddsUpByDestinationAndBoundsTheirNumber) {
  TrafficBook book;
  const auto tally = book.open_tally();
  EXPECT_TRUE(tally->empty());
  for (std::size_t i = 0; i < Tally::kMostDestinations + 3; ++i)
    book.note("h" + std::to_string(i), Traffic{1, 0, 2, 3});
  book.note("h0", Traffic{0, 1, 10, 20});
  const auto json = parse_json(tally->json());
  ASSERT_TRUE(json) << tally->json();
  EXPECT_NE(
      tally->json().find(R"({"destination":"h0","connections":1,"refused":1,"sent_bytes":12,"received_bytes":23})"),
      std::string::npos);
  EXPECT_NE(tally->json().find(R"("others":{"connections":3,"refused":0,"sent_bytes":6,"received_bytes":9})"),
            std::string::npos);
}

TEST(Tally, KnowsOnlyWhatHappenedSinceItWasOpened) {
  TrafficBook book;
  book.note("a", Traffic{1, 0, 0, 0});
  const auto tally = book.open_tally();
  EXPECT_TRUE(tally->empty());
}

}  // namespace
}  // namespace berth::slotd::proxy
