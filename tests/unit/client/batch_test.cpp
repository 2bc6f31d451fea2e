// SPDX-License-Identifier: Apache-2.0
// Batches: grouping, order, what a failing server does to the others, asking again by id (slot-protocol 4.2).
#include <atomic>
#include <condition_variable>
#include <set>

#include "tests/unit/client/fixture.hpp"

namespace berth {
namespace {

std::vector<PlacedCall> calls_to(const std::vector<std::string>& addresses) {
  std::vector<PlacedCall> calls;
  for (const std::string& address : addresses) {
    Call call = bash_call("slot_" + std::to_string(calls.size() % 4), "x");
    call.execution_id = "e" + std::to_string(calls.size());
    calls.push_back(PlacedCall{address, std::move(call)});
  }
  return calls;
}

std::vector<std::string> ids(const std::vector<Result>& results) {
  std::vector<std::string> ids;
  for (const Result& result : results) ids.push_back(result.execution_id);
  return ids;
}

// Its results in the order of the elements but backwards in time.
RawReply backwards(const RawRequest& request, std::size_t) {
  const auto ids = ids_of(request);
  std::string body;
  for (std::size_t i = ids.size(); i-- > 0;)
    body += result_line(i, ids[i], "of " + ids[i]) + R"({"type":"ping"})" + "\n";
  return lines(body + end_line(ids.size()));
}

// What a server answers that knows no streams.
RawReply array(const RawRequest& request, std::size_t) {
  std::string body;
  for (const std::string& id : ids_of(request)) body += (body.empty() ? "[" : ", ") + result_json(id, "of " + id);
  return answer(200, body + "]");
}

TEST(ClientBatch, OfNothingIsNothing) {
  Client client(quick());
  EXPECT_TRUE(client.execute_batch({}).empty());
}

TEST(ClientBatch, GivesResultsInTheOrderOfTheCallsAndSendsOneRequestToEachServer) {
  RawServer one(backwards);
  RawServer two(array);
  Client client(quick());
  const auto results =
      client.execute_batch(calls_to({two.address(), one.address(), two.address(), one.address(), one.address()}));
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].output, "of e" + std::to_string(i));
  ASSERT_EQ(one.requests().size(), 1U);
  ASSERT_EQ(two.requests().size(), 1U);
  EXPECT_EQ(ids_of(one.requests()[0]), (std::vector<std::string>{"e1", "e3", "e4"}));
  EXPECT_EQ(ids_of(two.requests()[0]), (std::vector<std::string>{"e0", "e2"}));
}

TEST(ClientBatch, ServersWorkAtTheSameTime) {
  std::mutex mutex;
  std::condition_variable both;
  int arrived = 0;
  const auto meet = [&](const RawRequest& request, std::size_t) {
    std::unique_lock lock(mutex);
    ++arrived;
    both.notify_all();
    const bool met = both.wait_for(lock, kPatience, [&] { return arrived == 2; });
    return honest(request, met ? "met" : "alone");
  };
  RawServer one(meet);
  RawServer two(meet);
  Client client(quick());
  for (const Result& result : client.execute_batch(calls_to({one.address(), two.address()})))
    EXPECT_EQ(result.output, "met");
}

TEST(ClientBatch, ADeadServerFailsOnlyItsOwn) {
  RawServer alive(honest_script);
  RawServer liar([](const RawRequest&, std::size_t) { return lines("<html>\n"); });
  Client client(quick());
  const auto results =
      client.execute_batch(calls_to({alive.address(), kNobody, "nonsense", liar.address(), alive.address()}));
  EXPECT_EQ(ids(results), (std::vector<std::string>{"e0", "e1", "e2", "e3", "e4"}));
  EXPECT_TRUE(results[0].success && results[4].success);
  EXPECT_EQ(cause(results[1]), "transport");
  EXPECT_EQ(started(results[1]), "false");
  EXPECT_EQ(cause(results[2]), "rejected");
  EXPECT_EQ(cause(results[3]), "protocol");
  for (const std::size_t i : {1U, 2U, 3U}) EXPECT_FALSE(results[i].error.empty()) << i;
}

// W53: the peer's client never asks again for a batch.
TEST(ClientBatch, ABrokenConnectionIsAskedAgainForWhatIsMissingUnderTheSameIds) {
  RawServer server([](const RawRequest& request, std::size_t nth) {
    const auto sent = ids_of(request);
    if (nth > 0) return honest(request, "second");
    RawReply begun{"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 10000\r\n\r\n" +
                       result_line(1, sent.at(1), "first"),
                   {},
                   RawReply::Then::close};
    return begun;
  });
  Client client(quick());
  const auto results = client.execute_batch(calls_to({server.address(), server.address(), server.address()}));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(ids_of(requests[1]), (std::vector<std::string>{"e0", "e2"}));
  EXPECT_EQ(results[0].output, "second");
  EXPECT_EQ(results[1].output, "first");
  EXPECT_EQ(results[2].output, "second");
}

TEST(ClientBatch, GivesUpAfterThreeTriesWithAText) {
  RawServer server([](const RawRequest&, std::size_t) { return cut(); });
  Client client(quick());
  const auto results = client.execute_batch(calls_to({server.address()}));
  EXPECT_EQ(server.requests().size(), 3U);
  EXPECT_THAT(results.at(0).error, StartsWith("Failed after 3 attempts: "));
  EXPECT_EQ(started(results.at(0)), "\"unknown\"");
}

// W51: the peer's batch fails after 30 s whatever was asked, with an empty text.
TEST(ClientBatch, WaitsForTheCallsOfASlotOneAfterTheOtherAndTheMarginThenSaysSo) {
  RawServer server([](const RawRequest&, std::size_t) { return hang(); });
  ClientOptions options = quick();
  options.answer_margin = Seconds(0.1);
  Client client(options);
  std::vector<PlacedCall> calls;
  for (const char* slot : {"slot_0", "slot_0", "slot_1"})
    calls.push_back(PlacedCall{server.address(), bash_call(slot, "x", Seconds(0.2))});
  const auto before = std::chrono::steady_clock::now();
  const auto results = client.execute_batch(calls);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(500));
  EXPECT_EQ(server.requests().size(), 1U);
  for (const Result& result : results) EXPECT_THAT(result.error, StartsWith("Request timed out after 0.5s: "));
}

TEST(ClientBatch, AStreamThatFallsSilentIsAskedAgain) {
  RawServer server([](const RawRequest& request, std::size_t nth) {
    if (nth > 0) return honest(request);
    return RawReply{"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 999\r\n\r\n",
                    {},
                    RawReply::Then::hang};
  });
  ClientOptions options = quick();
  options.silence_timeout = Seconds(0.1);
  Client client(options);
  EXPECT_TRUE(client.execute_batch(calls_to({server.address()})).at(0).success);
}

TEST(ClientBatch, ARefusedBatchSaysWhyToEach) {
  RawServer server([](const RawRequest&, std::size_t) {
    return answer(400, R"({"success": false, "error": "Expected array of requests"})");
  });
  Client client(quick());
  for (const Result& result : client.execute_batch(calls_to({server.address(), server.address()}))) {
    EXPECT_EQ(cause(result), "rejected");
    EXPECT_EQ(started(result), "false");
    EXPECT_THAT(result.error, HasSubstr("Expected array of requests"));
  }
}

TEST(ClientBatch, MoreThanAServerTakesGoesInParts) {
  RawServer server(honest_script);
  Client client(quick());
  const auto results = client.execute_batch(calls_to(std::vector<std::string>(2500, server.address())));
  EXPECT_EQ(results.size(), 2500U);
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_TRUE(results[i].success);
    EXPECT_EQ(results[i].execution_id, "e" + std::to_string(i));
  }
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST(ClientBatch, OneCallThatCannotBeSentLeavesTheOthersAlone) {
  RawServer server(honest_script);
  Client client(quick());
  auto calls = calls_to({server.address(), server.address(), server.address()});
  calls[1].call.args = "}";
  const auto results = client.execute_batch(calls);
  EXPECT_TRUE(results[0].success && results[2].success);
  EXPECT_EQ(cause(results[1]), "rejected");
  EXPECT_EQ(ids_of(server.requests().at(0)), (std::vector<std::string>{"e0", "e2"}));
}

}  // namespace
}  // namespace berth
