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
