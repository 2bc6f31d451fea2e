// SPDX-License-Identifier: Apache-2.0
// Servers that were started anew, and the end of a client's life.
#include <atomic>
#include <thread>

#include "tests/unit/client/fixture.hpp"

namespace berth {
namespace {

RawReply refuse_other_boot(const RawRequest& request, const std::string& boot) {
  const auto field = request.fields.find("berth-boot");
  if (field != request.fields.end() && field->second != boot)
    return answer(409, R"({"success": false, "error": "another boot", "code": "wrong_boot"})");
  if (request.target == "/reset") return answer(200, R"({"success": true, "output": "Reset workspace for slot_0"})");
  return honest(request);
}

class ClientRestart : public ::testing::TestWithParam<bool> {
 protected:
  Result run(const std::string& slot) {
    if (!GetParam()) return client.execute(server.address(), bash_call(slot, "x"));
    return client.execute_batch({PlacedCall{server.address(), bash_call(slot, "x")}}).at(0);
  }
  void restart() {
    boot = "boot-2";
    server.set_boot("boot-2");
  }

  std::string boot = "boot-1";
  RawServer server{[this](const RawRequest& request, std::size_t) { return refuse_other_boot(request, boot); }};
  Client client{quick()};
};

TEST_P(ClientRestart, IsToldOnceToEachSlotThatWasInUseAndNothingRuns) {
  EXPECT_TRUE(run("slot_0").success);
  EXPECT_TRUE(run("slot_1").success);
  EXPECT_EQ(server.requests().at(0).fields.at("berth-boot"), "boot-1");
  restart();
  for (const char* slot : {"slot_0", "slot_1"}) {
    const Result lost = run(slot);
    EXPECT_EQ(cause(lost), "container_lost") << slot << lost.metadata;
    EXPECT_EQ(started(lost), "false");
    EXPECT_FALSE(lost.error.empty());
  }
  for (const char* slot : {"slot_0", "slot_1", "slot_2"}) EXPECT_TRUE(run(slot).success) << slot;
  EXPECT_EQ(server.requests().back().fields.at("berth-boot"), "boot-2");
}

TEST_P(ClientRestart, AResetIsAFreshBeginning) {
  EXPECT_TRUE(run("slot_0").success);
  restart();
  EXPECT_TRUE(client.reset_slot(SlotPlace{server.address(), "slot_0", {}}).success);
  EXPECT_TRUE(run("slot_0").success);
}

INSTANTIATE_TEST_SUITE_P(Both, ClientRestart, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "Batch" : "Execute"; });

TEST(ClientRetry, AfterARestartNothingRunsTwice) {
  std::atomic<int> ran{0};
  RawServer server([&](const RawRequest& request, std::size_t nth) {
    if (request.fields.at("berth-boot") != "boot-1" || nth > 0)
      return answer(409, R"({"success": false, "error": "another boot", "code": "wrong_boot"})");
    ++ran;
    return cut();
  });
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_EQ(cause(result), "container_lost");
  EXPECT_EQ(started(result), "\"unknown\"") << "it ran before the restart";
  EXPECT_EQ(ran, 1);
}

TEST(ClientBoot, AServerThatNamesNoneGetsNone) {
  RawServer server([](const RawRequest& request, std::size_t) {
    if (request.target == "/health") return answer(200, R"({"status": "ok"})");
    return honest(request);
  });
  server.script_health();
  Client client(quick());
  EXPECT_TRUE(client.execute(server.address(), bash_call("slot_0", "x")).success);
  EXPECT_FALSE(server.requests().at(1).fields.contains("berth-boot"));
}

TEST(ClientBoot, AHealthThatLiesIsTheProtocolsFault) {
  RawServer server([](const RawRequest&, std::size_t) {
    return answer(200, R"({"status": "ok", "boot_id": ")" + std::string(5000, 'x') + "\"}");
  });
  server.script_health();
  Client client(quick());
  const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
  EXPECT_EQ(cause(result), "protocol");
  EXPECT_EQ(started(result), "false");
}

TEST(ClientLife, ItsEndEndsEveryCallWithAText) {
  RawServer server([](const RawRequest&, std::size_t) { return hang(); });
  std::future<Result> call;
  std::future<std::vector<Result>> batch;
  {
    Client client(quick());
    call = client.execute_later(server.address(), bash_call("slot_0", "x"));
    batch = client.execute_batch_later({PlacedCall{server.address(), bash_call("slot_1", "x")}});
    while (server.requests().empty()) std::this_thread::yield();
  }
  for (const Result& result : {call.get(), batch.get().at(0)}) {
    EXPECT_THAT(result.error, HasSubstr("the client was closed"));
    EXPECT_EQ(cause(result), "transport");
  }
}

TEST(ClientLife, ItsEndDoesNotWaitForAPause) {
  ClientOptions options = quick();
  options.retry_delay = Seconds(3600);
  auto client = std::make_unique<Client>(options);
  auto call = client->execute_later(kNobody, bash_call("slot_0", "x"));
  client.reset();
  EXPECT_FALSE(call.get().success);
}

TEST(ClientLife, ItMovesWithItsConnections) {
  RawServer server(honest_script);
  Client first(quick());
  EXPECT_TRUE(first.execute(server.address(), bash_call("slot_0", "x")).success);
  Client second(std::move(first));
  EXPECT_TRUE(second.execute(server.address(), bash_call("slot_0", "x")).success);
  Client third;
  third = std::move(second);
  EXPECT_TRUE(third.execute(server.address(), bash_call("slot_0", "x")).success);
  EXPECT_EQ(server.connections(), 1U);
}

TEST(ClientThreads, ManyAtOnceGetTheirOwnAnswers) {
  RawServer server([](const RawRequest& request, std::size_t) { return honest(request, "of " + ids_of(request)[0]); });
  ClientOptions options = quick();
  options.connections = 4;
  Client client(options);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&client, &server, &right, t] {
      for (int i = 0; i < 50; ++i) {
        Call call = bash_call("slot_0", "x");
        call.execution_id = std::to_string(t) + "-" + std::to_string(i);
        if (client.execute(server.address(), call).output == "of " + call.execution_id) ++right;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
  EXPECT_LE(server.connections(), 4U);
}

}  // namespace
}  // namespace berth
