// SPDX-License-Identifier: Apache-2.0
// One call: what goes over the wire, and what comes of every answer (slot-protocol 4.1).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "base/fd.hpp"
#include "tests/unit/client/fixture.hpp"

namespace berth {
namespace {

TEST(ClientExecute, SendsTheFieldsOfTheProtocolAndNothingIsLookedUpInTheArguments) {
  RawServer server(honest_script);
  Client client(quick());
  Call call = bash_call("slot_2", "echo \"a\"", Seconds(45));
  call.args = R"({"z": 1,  "command":"x"})";
  call.generation = 7;
  EXPECT_TRUE(client.execute(server.address(), call).success);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/execute");
  EXPECT_THAT(requests[0].body, HasSubstr(R"("args":{"z": 1,  "command":"x"})"));
  const auto body = parse_json(requests[0].body);
  EXPECT_EQ(body->at("slot_id"), "slot_2");
  EXPECT_EQ(body->at("tool"), "bash");
  EXPECT_EQ(body->at("timeout"), 45);
  EXPECT_EQ(body->at("generation"), 7);
}

TEST(ClientExecute, EachCallHasAnIdOfItsOwnUnlessItBringsOne) {
  RawServer server(honest_script);
  Client client(quick());
  Call named = bash_call("slot_0", "x");
  named.execution_id = "mine";
  EXPECT_EQ(client.execute(server.address(), named).execution_id, "mine");
  const auto one = client.execute(server.address(), bash_call("slot_0", "x")).execution_id;
  const auto two = client.execute(server.address(), bash_call("slot_0", "x")).execution_id;
  EXPECT_FALSE(one.empty());
  EXPECT_NE(one, two);
}

TEST(ClientExecute, ALimitThatIsNotNamedIsThirtySeconds) {
  RawServer server(honest_script);
  Client client(quick());
  static_cast<void>(client.execute(server.address(), bash_call("slot_0", "x")));
  EXPECT_EQ(parse_json(server.requests().at(0).body)->at("timeout"), 30);
}

TEST(ClientExecute, GivesTheServersResultAsItIs) {
  RawServer server([](const RawRequest& request, std::size_t) {
    return answer(200, R"({"success": false, "output": "o", "error": "Exit code: 3", "execution_id": ")" +
                           ids_of(request)[0] + R"(", "metadata": {"exit_code": 3, "cause": "exit"}})");
  });
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.output, "o");
  EXPECT_EQ(result.error, "Exit code: 3");
  EXPECT_EQ(exit_code_of(result), 3);
  EXPECT_EQ(cause_of(result), Cause::exit);
}

TEST(ClientExecute, ACutConnectionIsTriedThreeTimesWithTheSameId) {
  RawServer server([](const RawRequest& request, std::size_t nth) { return nth < 2 ? cut() : honest(request); });
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_TRUE(result.success) << result.error;
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].body, requests[1].body);
  EXPECT_EQ(requests[0].body, requests[2].body);
}

TEST(ClientExecute, SaysHowOftenItTriedAndThatTheCallMayHaveRun) {
  RawServer server([](const RawRequest&, std::size_t) { return cut(); });
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_EQ(server.requests().size(), 3U);
  EXPECT_THAT(result.error, StartsWith("Failed after 3 attempts: the connection was cut"));
  EXPECT_EQ(cause(result), "transport");
  EXPECT_EQ(started(result), "\"unknown\"");
}

TEST(ClientExecute, PausesOneDelayThenTwo) {
  std::vector<std::chrono::steady_clock::time_point> times;
  RawServer server([&times](const RawRequest&, std::size_t) {
    times.push_back(std::chrono::steady_clock::now());
    return cut();
  });
  ClientOptions options = quick();
  options.retry_delay = Seconds(0.2);
  Client client(options);
  static_cast<void>(client.execute(server.address(), bash_call("slot_0", "x")));
  ASSERT_EQ(server.requests().size(), 3U);  // takes its lock: what the connections' threads wrote is seen
  ASSERT_EQ(times.size(), 3U);
  EXPECT_GE(times[1] - times[0], std::chrono::milliseconds(200));
  EXPECT_GE(times[2] - times[1], std::chrono::milliseconds(400));
}

TEST(ClientExecute, NobodyListeningMeansThatNothingRan) {
  Client client(quick());
  const Result result = client.execute(kNobody, bash_call("slot_0", "x"));
  EXPECT_THAT(result.error, StartsWith("Failed after 3 attempts: "));
  EXPECT_THAT(result.error, HasSubstr("Connection refused"));
  EXPECT_EQ(cause(result), "transport");
  EXPECT_EQ(started(result), "false");
}

// W51: the limit of the exchange is the call's own and a margin, not a number of its own.
TEST(ClientExecute, AnAnswerThatDoesNotComeEndsWithATextAfterTheCallsLimitAndTheMarginAndIsNotAskedAgain) {
  RawServer server([](const RawRequest&, std::size_t) { return hang(); });
  ClientOptions options = quick();
  options.answer_margin = Seconds(0.3);
  Client client(options);
  const auto before = std::chrono::steady_clock::now();
  const Result result = client.execute(server.address(), bash_call("slot_0", "x", Seconds(0.2)));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(500));
  EXPECT_THAT(result.error, StartsWith("Request timed out after 0.5s: "));
  EXPECT_EQ(cause(result), "transport");
  EXPECT_EQ(started(result), "\"unknown\"");
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(ClientExecute, AServerThatTakesNoByteIsGivenUp) {
  ClientOptions options = quick();
  options.write_timeout = Seconds(0.2);
  Client client(options);
  Call call = bash_call("slot_0", std::string(std::size_t{7} << 20, 'x'));  // more than the socket's buffers hold
  RawServer deaf(honest_script);
  deaf.stop_reading();
  const Result result = client.execute(deaf.address(), call);
  EXPECT_THAT(result.error, HasSubstr("does not take the request"));
}

// Accepts nobody: its queue is full, so that the kernel leaves a new connection without an answer.
class Unreachable {
 public:
  Unreachable() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), where, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    EXPECT_EQ(::getsockname(listener_.get(), where, &size), 0);
    port_ = ntohs(address.sin_port);
    for (UniqueFd& each : waiting_) {
      each = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      static_cast<void>(::connect(each.get(), where, size));
    }
  }
  [[nodiscard]] std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  UniqueFd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::array<UniqueFd, 4> waiting_;
  int port_ = 0;
};

TEST(ClientExecute, AServerThatCannotBeReachedIsGivenUpBeforeTheCallsOwnLimit) {
  const Unreachable nowhere;
  ClientOptions options = quick();
  options.connect_timeout = Seconds(0.1);
  Client client(options);
  const auto before = std::chrono::steady_clock::now();
  const Result result = client.execute(nowhere.address(), bash_call("slot_0", "x", Seconds(3600)));
  EXPECT_LT(std::chrono::steady_clock::now() - before, kPatience / 2);
  EXPECT_THAT(result.error, StartsWith("Failed after 3 attempts: "));
  EXPECT_EQ(started(result), "false");
}

TEST(ClientExecute, AnotherMediaTypeIsAskedAgainAndThenNamed) {
  RawServer server([](const RawRequest&, std::size_t) { return answer(502, "<html>bad gateway", "text/html"); });
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_EQ(server.requests().size(), 3U);
  EXPECT_EQ(cause(result), "protocol");
  EXPECT_THAT(result.error, HasSubstr("502"));
  EXPECT_THAT(result.error, HasSubstr("bad gateway"));
}

TEST(ClientExecute, ABusyServerIsAskedAgain) {
  RawServer server([](const RawRequest& request, std::size_t nth) {
    return nth == 0 ? answer(429, R"({"success": false, "error": "ledger_full", "code": "ledger_full"})")
                    : honest(request);
  });
  Client client(quick());
  EXPECT_TRUE(client.execute(server.address(), bash_call("slot_0", "x")).success);
}

struct StatusCase {
  int status;
  const char* body;
  const char* cause;
  const char* started;
  const char* text;
};

class ClientStatus : public ::testing::TestWithParam<StatusCase> {};

// The peer's client takes any object for a result, whatever the status.
TEST_P(ClientStatus, IsLookedAt) {
  RawServer server([](const RawRequest&, std::size_t) { return answer(GetParam().status, GetParam().body); });
  ClientOptions options = quick();
  options.attempts = 1;
  Client client(options);
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_FALSE(result.success);
  EXPECT_EQ(cause(result), GetParam().cause);
  EXPECT_EQ(started(result), GetParam().started);
  EXPECT_THAT(result.error, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, ClientStatus,
    ::testing::Values(StatusCase{400, R"({"success": false, "error": "Invalid JSON"})", "rejected", "false", "Invalid"},
                      StatusCase{401, R"({"error": {"code": "no_token", "message": "m", "hint": "h"}})", "rejected",
                                 "false", "ClientOptions::token"},
                      StatusCase{413, R"({"success": false, "error": "too big"})", "rejected", "false", "413: too big"},
                      StatusCase{429, R"({"success": false, "error": "full"})", "rejected", "false", "full"},
                      StatusCase{404, "not json", "rejected", "false", "404"},
                      StatusCase{500, R"({"success": true, "output": "x", "error": ""})", "protocol", "\"unknown\"",
                                 "500"},
                      StatusCase{201, R"({"success": true})", "protocol", "\"unknown\"", "201"},
                      StatusCase{301, "{}", "protocol", "\"unknown\"", "301"},
                      StatusCase{200, "[]", "protocol", "\"unknown\"", "not a result"},
                      StatusCase{200, "{}", "protocol", "\"unknown\"", "not a result"},
                      StatusCase{200, "{", "protocol", "\"unknown\"", "not a result"}),
    [](const auto& each) {
      return "Status" + std::to_string(each.param.status) + "Case" + std::to_string(each.index);
    });

TEST(ClientExecute, ARefusalWithItsResultIsTheServersOwn) {
  RawServer server([](const RawRequest& request, std::size_t) {
    return answer(409, R"({"success": false, "output": "", "error": "other content", "execution_id": ")" +
                           ids_of(request)[0] + R"(", "metadata": {"cause": "rejected", "code": "other_content"}})");
  });
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_EQ(result.error, "other content");
  EXPECT_THAT(result.metadata, HasSubstr("other_content"));
}

TEST(ClientExecute, NoFailureIsWithoutAText) {
  RawServer server([](const RawRequest& request, std::size_t) {
    return answer(200, R"({"success": false, "output": "", "error": "", "execution_id": ")" + ids_of(request)[0] +
                           R"(", "metadata": {}})");
  });
  Client client(quick());
  EXPECT_FALSE(client.execute(server.address(), bash_call("slot_0", "x")).error.empty());
}

TEST(ClientExecute, WhatCannotBeSentIsRefusedHere) {
  Client client(quick());
  Call broken = bash_call("slot_0", "x");
  broken.args = R"({}}, {"slot_id": "slot_1", "args": {})";
  Call list = bash_call("slot_0", "x");
  list.args = "[]";
  Call odd_id = bash_call("slot_0", "x");
  odd_id.execution_id = "a b";
  Call endless = bash_call("slot_0", "x", Seconds(std::numeric_limits<double>::quiet_NaN()));
  for (const Call& call : {broken, list, odd_id, endless}) {
    const Result result = client.execute(kNobody, call);
    EXPECT_EQ(cause(result), "rejected") << result.error;
    EXPECT_EQ(started(result), "false");
  }
  EXPECT_EQ(cause(client.execute("ftp://x", bash_call("slot_0", "x"))), "rejected");
}

TEST(ClientExecute, TheTokenGoesWithEveryRequest) {
  RawServer server(honest_script);
  ClientOptions options = quick();
  options.token = "secret";
  Client client(options);
  static_cast<void>(client.execute(server.address(), bash_call("slot_0", "x")));
  EXPECT_EQ(server.requests().at(0).fields.at("authorization"), "Bearer secret");
}

TEST(ClientExecute, ConnectionsAreKeptAndUsedAgain) {
  RawServer server(honest_script);
  Client client(quick());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.execute(server.address(), bash_call("slot_0", "x")).success);
  EXPECT_EQ(server.connections(), 1U);
}

}  // namespace
}  // namespace berth
