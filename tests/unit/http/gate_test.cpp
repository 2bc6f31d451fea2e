// SPDX-License-Identifier: Apache-2.0
#include "base/http/gate.hpp"

#include <gmock/gmock.h>

#include "base/http/syntax.hpp"
#include "tests/unit/http/battery.hpp"

namespace berth::http {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

std::string head_of(const std::string& bytes) {
  return bytes.substr(0, bytes.find("\r\n\r\n") + 4);
}

RequestHead parsed(const std::string& text) {
  const Expected<RequestHead> head = check_request_head(text);
  EXPECT_TRUE(head) << head.error().message;
  return head.value_or(RequestHead{});
}

TEST(Gate, SplitsTheTargetAndLowersNamesAlone) {
  const RequestHead head = parsed("PuT /a%2F?b=%20?c HTTP/1.1\r\nHost: Berth\r\nX-ABC: \t MiXed \r\n\r\n");
  EXPECT_EQ(head.method, "PuT");
  EXPECT_EQ(head.path, "/a%2F");
  EXPECT_EQ(head.query, "b=%20?c");
  EXPECT_THAT(head.fields, ElementsAre(Pair("host", "Berth"), Pair("x-abc", "MiXed")));
}

TEST(Gate, FindsTheFirstOfARepeatedField) {
  const RequestHead head = parsed("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n");
  EXPECT_THAT(head.field("x"), Optional(std::string_view("1")));
  EXPECT_EQ(head.field("y"), std::nullopt);
}

TEST(Gate, DecodesQueryValues) {
  const RequestHead head = parsed("GET /?a=b%3Dc+d&empty=&bare&bad=%zz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(head.query_value("a"), Optional(std::string("b=c d")));
  EXPECT_THAT(head.query_value("empty"), Optional(std::string()));
  EXPECT_THAT(head.query_value("bare"), Optional(std::string()));
  EXPECT_EQ(head.query_value("bad"), std::nullopt);
  EXPECT_EQ(head.query_value("none"), std::nullopt);
}

struct KeepAliveCase {
  const char* version;
  const char* connection;
  bool expected;
};

TEST(Gate, KeepsTheConnectionAsVersionAndFieldsSay) {
  const KeepAliveCase cases[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: foo, CLOSE\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
  };
  for (const KeepAliveCase& c : cases) {
    const std::string text = "GET / HTTP/" + std::string(c.version) + "\r\nHost: a\r\n" + c.connection + "\r\n";
    EXPECT_EQ(parsed(text).keep_alive, c.expected) << text;
  }
}

TEST(Gate, RefusesAHeadThatGoesOnAfterItsEmptyLine) {
  const Expected<RequestHead> head = check_request_head("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, "bad_request");
}

TEST(Gate, RefusesAHeadWithoutEnd) {
  EXPECT_FALSE(check_request_head("GET / HTTP/1.1\r\nHost: a\r\n"));
}

class RefusedHead : public ::testing::TestWithParam<Message> {};

TEST_P(RefusedHead, HasTheStatusOfItsRule) {
  const Expected<RequestHead> head = check_request_head(head_of(GetParam().bytes));
  ASSERT_FALSE(head);
  EXPECT_EQ(gate_status(head.error()), GetParam().status) << head.error().message;
}

std::vector<Message> refused_heads() {
  std::vector<Message> heads;
  for (Message& message : refused_messages()) {
    const bool about_body = message.name.starts_with("ChunkSize") || message.name.starts_with("ChunkLine") ||
                            message.name.starts_with("ChunkData") || message.name.starts_with("ChunkExtension") ||
                            message.name.starts_with("Trailer");
    const bool whole = message.bytes.find("\r\n\r\n") != std::string::npos;
    if (!about_body && whole && message.name != "EmptyLineFirst") heads.push_back(std::move(message));
  }
  return heads;
}

INSTANTIATE_TEST_SUITE_P(Battery, RefusedHead, ::testing::ValuesIn(refused_heads()), NameOfMessage());

class AcceptedHead : public ::testing::TestWithParam<Message> {};

TEST_P(AcceptedHead, PassesTheGate) {
  const Expected<RequestHead> head = check_request_head(head_of(GetParam().bytes));
  EXPECT_TRUE(head) << head.error().message;
}

INSTANTIATE_TEST_SUITE_P(Battery, AcceptedHead, ::testing::ValuesIn(accepted_messages()), NameOfMessage());

TEST(HeadScan, FindsTheEndHoweverTheBytesArrive) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    HeadScan scan;
    const auto early = scan.find_end(std::string_view(text).substr(0, cut), 1000);
    ASSERT_TRUE(early) << cut;
    EXPECT_FALSE(early->has_value()) << cut;
    const auto end = scan.find_end(text + "GET", 1000);
    ASSERT_TRUE(end) << cut;
    EXPECT_THAT(*end, Optional(text.size())) << cut;
  }
}

TEST(HeadScan, ReportsABadByteBeforeTheEndHasCome) {
  for (const std::string_view begun : {"GET / HTTP/1.1\n", "GET / HTTP/1.1\rX", "\x16\x03\x01", "\r\n", "GET /\x7f"}) {
    HeadScan scan;
    EXPECT_FALSE(scan.find_end(begun, 1000)) << begun;
  }
}

TEST(Gate, NamesTheRuleThatWasBroken) {
  const Expected<RequestHead> folded = check_request_head("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c: d\r\n\r\n");
  ASSERT_FALSE(folded);
  EXPECT_EQ(folded.error().message, "folded header field");
}

TEST(HeadScan, CountsTheBytesBeforeTheEnd) {
  HeadScan scan;
  const auto end = scan.find_end(std::string(50, 'a'), 50);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, "too_large");
}

}  // namespace
}  // namespace berth::http
