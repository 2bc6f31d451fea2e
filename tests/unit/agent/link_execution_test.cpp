// SPDX-License-Identifier: Apache-2.0
// Ending executions wherever they are, and bodies that travel piece by piece.
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/unit/agent/link_fixture.hpp"

namespace berth::agent {
namespace {

using LinkExecution = LinkFixture;

http::ClientRequest ask(std::string method, std::string target) {
  http::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  return request;
}

Deadline soon() {
  return Deadline(std::chrono::steady_clock::now() + testing::kMaxTestWait);
}

TEST_F(LinkExecution, ACallThatWaitsHereIsTakenBackAndNeverSent) {
  connect();
  const auto first = loop.start(link->call(make_call("slot_0", "first", "hang", 60)));
  loop.until([this] { return server->runs.contains("first"); });
  const auto second = loop.start(link->call(make_call("slot_0", "second", "echo never", 60)));
  loop.spin(std::chrono::milliseconds(5));
  EXPECT_TRUE(loop.run(link->cancel("slot_0", "second", 1)).has_value());
  loop.until([&] { return second->has_value(); });
  EXPECT_EQ(cause_of(***second), "cancelled");
  EXPECT_EQ(started_of(***second), "false");
  EXPECT_TRUE(loop.run(link->cancel("slot_0", "first", 1)).has_value());
  loop.until([&] { return first->has_value(); });
  EXPECT_FALSE(server->runs.contains("second"));
  EXPECT_THAT(server->cancelled, ::testing::ElementsAre("first"));
}

TEST_F(LinkExecution, AnIdThatIsAskedForAgainIsNeverSaidNotToHaveBegun) {
  connect();
  const auto running = start("slot_0", "same", "hang", 60);
  loop.until([this] { return server->runs.contains("same"); });
  const auto again = start("slot_0", "same", "hang", 60);
  const auto other = start("slot_0", "other", "hang", 60);
  loop.spin(std::chrono::milliseconds(5));
  link->close("the container ended");
  EXPECT_EQ(started_of(wait(running)), "\"unknown\"");
  EXPECT_EQ(started_of(wait(again)), "\"unknown\"");
  EXPECT_EQ(started_of(wait(other)), "false");
}

TEST_F(LinkExecution, AnIdThatEndedAndIsAskedForAgainIsNeverSaidNotToHaveBegun) {
  connect();
  EXPECT_TRUE(run("slot_0", "same", "echo x").success);
  const auto running = start("slot_0", "other", "hang", 60);
  const auto again = start("slot_0", "same", "echo x", 60);
  loop.until([this] { return server->runs.contains("other"); });
  link->close("the container ended");
  EXPECT_EQ(started_of(wait(again)), "\"unknown\"");
  EXPECT_EQ(started_of(run("slot_0", "same", "echo x")), "\"unknown\"");
  EXPECT_EQ(started_of(run("slot_0", "new", "echo x")), "false");
  EXPECT_EQ(cause_of(wait(running)), "container_lost");
}

TEST_F(LinkExecution, CancellingAnIdThatRunsAndWaitsEndsBoth) {
  connect();
  const auto running = start("slot_0", "same", "hang", 60);
  loop.until([this] { return server->runs.contains("same"); });
  const auto again = start("slot_0", "same", "hang", 60);
  loop.spin(std::chrono::milliseconds(5));
  EXPECT_TRUE(loop.run(link->cancel("slot_0", "same", 1)).has_value());
  EXPECT_EQ(cause_of(wait(running)), "cancelled");
  EXPECT_EQ(cause_of(wait(again)), "cancelled");
}

TEST(SentIds, ForgetsAnOlderGenerationAndSaysSoByNotDenyingIt) {
  SentIds sent;
  sent.add(3, "a");
  EXPECT_TRUE(sent.may_hold(3, "a"));
  EXPECT_FALSE(sent.may_hold(3, "b"));
  sent.take_back(3, "a");
  EXPECT_FALSE(sent.may_hold(3, "a"));
  sent.add(4, "c");
  EXPECT_FALSE(sent.may_hold(4, "a"));
  EXPECT_TRUE(sent.may_hold(3, "b"));
  EXPECT_FALSE(sent.may_hold(5, "c"));
  for (std::size_t i = 0; i <= SentIds::kMost; ++i) sent.add(4, std::to_string(i));
  EXPECT_TRUE(sent.may_hold(4, "never"));
}

TEST_F(LinkExecution, AFileGoesUpAndDownInPieces) {
  connect();
  const auto work = [this](UploadSize size) -> boost::asio::awaitable<std::string> {
    auto up = co_await link->transfer("slot_0", 1, ask("PUT", "files/x"), size, soon(), [] {});
    if (!up) co_return "up: " + up.error().code;
    for (const char* piece : {"one ", "", "two ", "three"}) {
      const auto sent = co_await (*up)->write(piece, soon());
      if (!sent) co_return "write: " + sent.error().code;
    }
    const auto done = co_await (*up)->finish(soon());
    if (!done) co_return "finish: " + done.error().code;
    up->reset();
    auto down = co_await link->transfer("slot_0", 1, ask("GET", "files/x"), NoUpload{}, soon(), [] {});
    if (!down) co_return "down: " + down.error().code;
    std::string all;
    while (true) {
      const auto piece = co_await (*down)->read(soon());
      if (!piece) co_return "read: " + piece.error().code;
      if (piece->empty()) co_return all;
      all += *piece;
    }
  };
  EXPECT_EQ(loop.run(work(ChunkedUpload{})), "one two three");
  EXPECT_EQ(loop.run(work(std::uint64_t{13})), "one two three");
}

TEST_F(LinkExecution, AFileOnItsWaySurvivesTheCallThatIsGivenUpBesideIt) {
  connect({.stall_batches = 1, .deaf = true});
  const auto work = [this]() -> boost::asio::awaitable<std::string> {
    auto up = co_await link->transfer("slot_0", 1, ask("PUT", "files/x"), ChunkedUpload{}, soon(), [] {});
    if (!up) co_return "up: " + up.error().code;
    const auto first = co_await (*up)->write("before ", soon());
    const auto given_up = co_await link->call(make_call("slot_1", "lost", "echo x", 0.1));
    if (!first || !given_up || cause_of(*given_up) != "transport") co_return "the call was not given up";
    const auto second = co_await (*up)->write("after", soon());
    if (!second) co_return "write: " + second.error().code;
    const auto done = co_await (*up)->finish(soon());
    if (!done) co_return "finish: " + done.error().code;
    co_return server->files["slot_0/x"];
  };
  EXPECT_EQ(loop.run(work()), "before after");
}

TEST_F(LinkExecution, TransfersTakeTurnsAndLeaveConnectionsForCalls) {
  connect({.slots = 2});
  server->files["slot_0/x"] = std::string(1 << 20, 'x');
  int ended = 0;
  const auto get = [&](Deadline until) {
    return link->transfer("slot_0", 1, ask("GET", "files/x"), NoUpload{}, until, [&ended] { ++ended; });
  };
  auto first = loop.run(get(soon()));
  ASSERT_TRUE(first.has_value());
  const auto late = loop.run(get(Deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(20))));
  EXPECT_EQ(late.error().code, "busy");
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(loop.run(link->call(make_call("slot_0", "a", "echo a"))).has_value());
  EXPECT_TRUE(loop.run(link->call(make_call("slot_1", "b", "echo b"))).has_value());
  const auto second = loop.start(get(soon()));
  loop.spin(std::chrono::milliseconds(5));
  EXPECT_FALSE(second->has_value());
  first->reset();
  loop.until([&] { return second->has_value(); });
  EXPECT_TRUE((*second)->has_value());
  second->reset();
  EXPECT_EQ(ended, 3);
}

TEST_F(LinkExecution, QuestionsPassWithTheServersOwnAnswer) {
  connect();
  const auto answer = loop.run(link->ask_slot("slot_0", 1, ask("GET", "files/none"), soon()));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->head.status, 404);
  EXPECT_THAT(link->address(), ::testing::StartsWith("unix:"));
}

}  // namespace
}  // namespace berth::agent
