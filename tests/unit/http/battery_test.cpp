// SPDX-License-Identifier: Apache-2.0
// The battery over real sockets: refused means one error answer and a closed connection, whatever was pipelined behind.
#include "tests/unit/http/battery.hpp"

#include <gmock/gmock.h>

#include "tests/unit/http/harness.hpp"

namespace berth::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::size_t answers_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("HTTP/1.1 "); at != std::string_view::npos; at = text.find("HTTP/1.1 ", at + 1))
    ++count;
  return count;
}

class RefusedMessage : public ::testing::TestWithParam<Message> {
 protected:
  void expect_refused(RawClient& client) {
    const std::string all = client.read_to_end();
    EXPECT_EQ(status_of(all), GetParam().status) << all;
    EXPECT_EQ(answers_in(all), 1U) << all;
    EXPECT_THAT(all, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(body_of(all), StartsWith(R"({"success": false, "error": ")"));
    EXPECT_THAT(all, Not(HasSubstr("hidden")));
  }
  TestServer server_{echo};
};

TEST_P(RefusedMessage, EndsTheConnectionWithOneAnswer) {
  RawClient client(server_.port());
  client.send(GetParam().bytes + request("GET /hidden"));
  client.shut_sending();
  expect_refused(client);
}

TEST_P(RefusedMessage, IsRefusedHoweverItIsSplit) {
  const std::string& bytes = GetParam().bytes;
  const std::size_t step = bytes.size() > 500 ? bytes.size() / 5 : 1;
  for (std::size_t cut = 1; cut < bytes.size(); cut += step) {
    RawClient client(server_.unix_path());
    client.send_apart(bytes.substr(0, cut));
    client.send(bytes.substr(cut));
    client.shut_sending();
    expect_refused(client);
    if (HasFailure()) FAIL() << "split at " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Battery, RefusedMessage, ::testing::ValuesIn(refused_messages()), NameOfMessage());

class AcceptedMessage : public ::testing::TestWithParam<Message> {
 protected:
  TestServer server_{echo};
};

TEST_P(AcceptedMessage, IsOneRequestAndTheNextOneFollows) {
  RawClient client(server_.port());
  client.send(GetParam().bytes + request("GET /next", "Connection: close\r\n"));
  EXPECT_EQ(status_of(client.read_answer()), 200);
  const std::string rest = client.read_to_end();
  EXPECT_EQ(body_of(rest), "GET /next? 0");
  EXPECT_EQ(answers_in(rest), 1U);
}

TEST_P(AcceptedMessage, IsServedHoweverItIsSplit) {
  const std::string& bytes = GetParam().bytes;
  const std::size_t step = bytes.size() > 500 ? bytes.size() / 5 : 1;
  std::string whole;
  for (std::size_t cut = bytes.size(); cut >= 1; cut = cut > step ? cut - step : 0) {
    RawClient client(server_.unix_path());
    client.send_apart(bytes.substr(0, cut));
    client.send(bytes.substr(cut));
    const std::string body = body_of(client.read_answer());
    if (whole.empty()) whole = body;
    ASSERT_EQ(body, whole) << "split at " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Battery, AcceptedMessage, ::testing::ValuesIn(accepted_messages()), NameOfMessage());

}  // namespace
}  // namespace berth::http
