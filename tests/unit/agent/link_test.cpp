// SPDX-License-Identifier: Apache-2.0
// The link to a well-behaved server: order, batches, bounds, connections that break.
#include "tests/unit/agent/link_fixture.hpp"

namespace berth::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(LinkFixture, ACallComesBackWithItsOwnResult) {
  connect();
  const Result result = run("slot_0", "e1", "echo hello");
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.output, "hello");
  EXPECT_EQ(result.execution_id, "e1");
  EXPECT_EQ(cause_of(result), "exit");
}

TEST_F(LinkFixture, CallsOfOneSlotRunInOrderOfArrival) {
  connect();
  std::vector<Answer> answers;
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    expected.push_back("e" + std::to_string(i));
    answers.push_back(start("slot_0", expected.back(), i % 3 == 0 ? "sleep 0.005;echo x" : "echo x"));
  }
  for (const Answer& answer : answers) wait(answer);
  EXPECT_EQ(server->started, expected);
}

TEST_F(LinkFixture, ASlotHasCallsInOneBatchAtATime) {
  connect();
  const Answer slow = start("slot_0", "slow", "sleep 0.1");
  loop.until([this] { return server->batches.size() == 1; });
  const Answer next = start("slot_0", "next", "echo x");
  run("slot_1", "other", "echo x");
  EXPECT_FALSE(slow->has_value());
  EXPECT_THAT(server->batches, ElementsAre(ElementsAre("slow"), ElementsAre("other")));
  wait(next);
  EXPECT_THAT(server->batches, ElementsAre(ElementsAre("slow"), ElementsAre("other"), ElementsAre("next")));
}

TEST_F(LinkFixture, ASlowCallDelaysNoOtherSlot) {
  connect();
  const Answer slow = start("slot_0", "slow", "sleep 2");
  loop.until([this] { return server->batches.size() == 1; });
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) run("slot_1", "quick" + std::to_string(i), "echo x");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
  EXPECT_FALSE(slow->has_value());
}

TEST_F(LinkFixture, WhatArrivesWhileABatchIsWrittenRidesInTheNextOne) {
  connect();
  std::vector<Answer> answers;
  for (unsigned slot = 0; slot < 4; ++slot)
    for (int i = 0; i < 3; ++i)
      answers.push_back(
          start("slot_" + std::to_string(slot), std::to_string(slot) + "-" + std::to_string(i), "echo x"));
  for (const Answer& answer : answers) wait(answer);
  // The first call went alone; what else its slot has must wait for it.
  EXPECT_THAT(server->batches, ElementsAre(SizeIs(1), SizeIs(9), SizeIs(2)));
}

TEST_F(LinkFixture, ResultsOfABatchComeOneByOne) {
  connect();
  const Answer first = start("slot_3", "first", "echo x");
  const Answer slow = start("slot_0", "slow", "sleep 1");
  const Answer quick = start("slot_1", "quick", "echo x");
  wait(first);
  wait(quick);
  EXPECT_THAT(server->batches.at(1), ElementsAre("slow", "quick"));
  EXPECT_FALSE(slow->has_value());
}

TEST_F(LinkFixture, NeverMoreThanSlotsPlusTwoConnections) {
  connect();
  std::vector<Answer> answers;
  for (int round = 0; round < 10; ++round)
    for (unsigned slot = 0; slot < 4; ++slot) {
      answers.push_back(
          start("slot_" + std::to_string(slot), std::to_string(round) + "-" + std::to_string(slot), "sleep 0.01"));
      loop.spin(std::chrono::milliseconds(1));
    }
  const auto health = loop.run(link->health());
  EXPECT_TRUE(health.has_value());
  for (const Answer& answer : answers) wait(answer);
  EXPECT_LE(server->most_connections, 6U);
}

TEST_F(LinkFixture, ABatchNeverHoldsMoreCallsThanItsLimit) {
  LinkLimits limits;
  limits.batch_calls = 5;
  connect({}, limits);
  std::vector<Answer> answers;
  for (int i = 0; i < 23; ++i) answers.push_back(start("slot_0", "e" + std::to_string(i), "echo x"));
  for (const Answer& answer : answers) wait(answer);
  for (const auto& batch : server->batches) EXPECT_LE(batch.size(), 5U);
}

TEST_F(LinkFixture, TheQueueIsBoundedAndSaysSo) {
  LinkLimits limits;
  limits.queue = 3;
  connect({}, limits);
  const Answer running = start("slot_0", "a", "sleep 0.2");
  const Answer second = start("slot_0", "b", "echo x");
  const Answer third = start("slot_1", "c", "sleep 0.2");
  const Answer refused = start("slot_2", "d", "echo x");
  loop.until([&refused] { return refused->has_value(); });
  ASSERT_FALSE((*refused)->has_value());
  EXPECT_EQ((*refused)->error().code, "queue_full");
  wait(running);
  wait(second);
  wait(third);
  EXPECT_EQ(server->runs.count("d"), 0U);
  EXPECT_TRUE(run("slot_2", "e", "echo x").success);
}

TEST_F(LinkFixture, ACallOverItsSizeIsRefusedUnsent) {
  connect();
  const Answer refused = start("slot_0", "big", std::string(std::size_t{3} << 20, 'x'));
  loop.until([&refused] { return refused->has_value(); });
  ASSERT_FALSE((*refused)->has_value());
  EXPECT_EQ((*refused)->error().code, "call_too_large");
  EXPECT_THAT(server->batches, SizeIs(0));
}

TEST_F(LinkFixture, AfterABreakItAsksAgainAndNothingRunsTwice) {
  FakeOptions fake;
  fake.cut_batches = 2;
  connect(fake);
  const Result result = run("slot_0", "e1", "sleep 0.1;echo once");
  EXPECT_EQ(result.output, "once");
  EXPECT_EQ(server->runs.at("e1"), 1U);
  EXPECT_THAT(server->batches, SizeIs(3));
}

TEST_F(LinkFixture, ABatchThatNeverArrivedIsSentAgain) {
  FakeOptions fake;
  fake.drop_batches = 1;
  connect(fake);
  EXPECT_EQ(run("slot_0", "e1", "echo once").output, "once");
  EXPECT_EQ(server->runs.at("e1"), 1U);
}

TEST_F(LinkFixture, OrderHoldsAcrossABreak) {
  FakeOptions fake;
  fake.drop_batches = 1;
  connect(fake);
  std::vector<Answer> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(start("slot_0", "e" + std::to_string(i), "echo x"));
  for (const Answer& answer : answers) EXPECT_TRUE(wait(answer).success);
  EXPECT_THAT(server->started, ElementsAre("e0", "e1", "e2", "e3", "e4"));
}

TEST_F(LinkFixture, AServerOfAnotherBootEndsTheCallAsContainerLost) {
  connect();
  run("slot_0", "e1", "echo x");
  server->options.boot_id = "boot-2";
  const Result result = run("slot_0", "e2", "echo x");
  EXPECT_EQ(cause_of(result), "container_lost");
  EXPECT_EQ(started_of(result), "\"unknown\"");
  EXPECT_EQ(server->runs.count("e2"), 0U);
}

TEST_F(LinkFixture, ClosingEndsEveryCallAsContainerLost) {
  connect();
  const Answer running = start("slot_0", "running", "hang");
  loop.until([this] { return server->runs.contains("running"); });
  const Answer waiting = start("slot_0", "waiting", "echo x");
  loop.spin(std::chrono::milliseconds(5));
  link->close("the server was killed");
  EXPECT_EQ(started_of(wait(running)), "\"unknown\"");
  EXPECT_EQ(started_of(wait(waiting)), "false");
  EXPECT_THAT(wait(running).error, HasSubstr("killed"));
  const Result later = run("slot_1", "later", "echo x");
  EXPECT_EQ(cause_of(later), "container_lost");
  EXPECT_EQ(started_of(later), "false");
  EXPECT_EQ(link->unanswered(), 0U);
}

TEST_F(LinkFixture, AStoppedServerCannotHoldACallPastItsDeadline) {
  // threats.md row 41: by its deadline + 100 ms, asserted at five times that.
  constexpr std::chrono::milliseconds kPromise{100};
  FakeOptions fake;
  fake.stall_batches = 1;
  fake.deaf = true;
  connect(fake);
  const auto before = std::chrono::steady_clock::now();
  const Result result = run("slot_0", "e1", "echo x", 0.2);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(200) + 5 * kPromise);
  EXPECT_EQ(cause_of(result), "transport");
  EXPECT_EQ(started_of(result), "\"unknown\"");
}

TEST_F(LinkFixture, AfterAStoppedServerTheNextCallWorks) {
  FakeOptions fake;
  fake.stall_batches = 1;
  fake.deaf = true;
  connect(fake);
  const Answer lost = start("slot_0", "lost", "echo x", 0.1);
  const Answer behind = start("slot_1", "behind", "echo x", 5);
  EXPECT_EQ(cause_of(wait(lost)), "transport");
  server->options.deaf = false;
  EXPECT_TRUE(wait(behind).success);
  EXPECT_TRUE(run("slot_0", "next", "echo x").success);
}

TEST_F(LinkFixture, AServerThatLivesAndLeavesABatchUnansweredHoldsUpNoOtherCall) {
  FakeOptions fake;
  fake.stall_batches = 1;
  LinkLimits limits;
  limits.alive_grace = std::chrono::milliseconds(50);
  connect(fake, limits);
  const Answer lost = start("slot_0", "lost", "echo x", 0.1);
  const Answer behind = start("slot_1", "behind", "echo x", 5);
  EXPECT_EQ(cause_of(wait(lost)), "transport");
  EXPECT_TRUE(wait(behind).success);
  EXPECT_EQ(server->runs["behind"], 1U);
}

TEST_F(LinkFixture, ABusyServerGetsMorePatience) {
  LinkLimits limits;
  limits.answer_grace = std::chrono::milliseconds(0);
  connect({}, limits);
  // The toy's clock starts later than the link's: its own time-out answer comes after the link's deadline.
  const Answer first = start("slot_0", "first", "sleep 0.3", 0.1);
  EXPECT_EQ(cause_of(wait(first)), "timeout");
}

TEST_F(LinkFixture, EndingASlotAnswersItsCallsAndSendsNoMoreOfThem) {
  connect();
  const Answer running = start("slot_0", "running", "sleep 0.2");
  loop.until([this] { return server->runs.contains("running"); });
  const Answer waiting = start("slot_0", "waiting", "echo x");
  const Answer other = start("slot_1", "other", "echo x");
  loop.spin(std::chrono::milliseconds(5));
  link->end_slot("slot_0", 1, Cause::slot_lost, "the lease ended: idle");
  EXPECT_EQ(cause_of(wait(running)), "slot_lost");
  EXPECT_EQ(cause_of(wait(waiting)), "slot_lost");
  EXPECT_TRUE(wait(other).success);
  loop.spin(std::chrono::milliseconds(300));
  EXPECT_EQ(server->runs.count("waiting"), 0U);
}

TEST_F(LinkFixture, CancellingReachesTheServer) {
  connect();
  const Answer running = start("slot_0", "running", "hang");
  loop.until([this] { return server->runs.contains("running"); });
  EXPECT_TRUE(loop.run(link->cancel("slot_0", "running", 1)).has_value());
  EXPECT_EQ(cause_of(wait(running)), "cancelled");
}

TEST_F(LinkFixture, OutputStreamsBeforeTheResultAndWithoutRepeatsAfterABreak) {
  FakeOptions fake;
  fake.cut_batches = 1;
  connect(fake);
  std::string seen;
  auto answer = loop.start(link->call(make_call("slot_0", "e1", "out a;sleep 0.05;out b;sleep 0.05;out c"),
                                      [&seen](const OutputLine& line) { seen += line.bytes; }));
  loop.until([&seen] { return seen == "a"; });
  EXPECT_FALSE(answer->has_value());
  wait(answer);
  EXPECT_EQ(seen, "abc");
}

TEST_F(LinkFixture, ResetTellsWhyItFailed) {
  FakeOptions fake;
  fake.fail_resets = 1;
  connect(fake);
  const Deadline soon(std::chrono::steady_clock::now() + std::chrono::seconds(5));
  const auto failed = loop.run(link->reset("slot_0", 2, soon));
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message, HasSubstr("busy"));
  EXPECT_TRUE(loop.run(link->reset("slot_0", 3, soon)).has_value());
  EXPECT_THAT(server->resets, ElementsAre(::testing::Pair("slot_0", 2), ::testing::Pair("slot_0", 3)));
}

TEST_F(LinkFixture, FilesTravelBothWays) {
  connect();
  const Deadline soon(std::chrono::steady_clock::now() + std::chrono::seconds(5));
  EXPECT_TRUE(loop.run(link->put_tar("slot_0", 1, "a b/c", "bytes", soon)).has_value());
  EXPECT_EQ(server->files.at("slot_0/a b/c"), "bytes");
  std::string got;
  const auto sink = [&got](std::string_view part) -> Expected<void> {
    got += part;
    return {};
  };
  EXPECT_TRUE(loop.run(link->get_file("slot_0", 1, "a b/c", false, sink, soon)).has_value());
  EXPECT_EQ(got, "bytes");
  const auto missing = loop.run(link->get_file("slot_0", 1, "nothing", false, sink, soon));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, "not_found");
}

TEST_F(LinkFixture, ADeafServerIsUnhealthyWithinTwoSeconds) {
  constexpr std::chrono::seconds kPromise{2};
  FakeOptions fake;
  fake.deaf = true;
  connect(fake);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(loop.run(link->health()).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5 * kPromise);
}

}  // namespace
}  // namespace berth::agent
