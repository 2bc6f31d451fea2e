// SPDX-License-Identifier: Apache-2.0
// A container that lies: the call ends with cause protocol, nobody gets somebody else's result, the link lives on.
#include "tests/unit/agent/link_fixture.hpp"

namespace berth::agent {
namespace {

class LyingServer : public LinkFixture, public ::testing::WithParamInterface<Lie> {};

TEST_P(LyingServer, EndsTheCallAsProtocolAndTheNextOneWorks) {
  FakeOptions fake;
  fake.lie = GetParam();
  connect(fake);
  const Answer first = start("slot_3", "warm", "sleep 0.02;echo warm");
  const Answer a = start("slot_0", "a", "sleep 0.01;echo secret-a");
  const Answer b = start("slot_1", "b", "sleep 0.02;echo secret-b");
  wait(first);
  const Result of_a = wait(a);
  const Result of_b = wait(b);
  // A result may be believed only if it is the call's own; what it stands for otherwise is never shown.
  EXPECT_TRUE(of_a.output.empty() || of_a.output == "secret-a");
  EXPECT_TRUE(of_b.output.empty() || of_b.output == "secret-b");
  EXPECT_TRUE(cause_of(of_a) == "protocol" || cause_of(of_b) == "protocol") << of_a.metadata << of_b.metadata;
  EXPECT_GE(link->counts().protocol_errors, 1U);
  server->options.lie = Lie::none;
  EXPECT_EQ(run("slot_0", "after", "echo fine").output, "fine");
}

INSTANTIATE_TEST_SUITE_P(EveryLie, LyingServer,
                         ::testing::Values(Lie::wrong_id, Lie::swapped, Lie::repeated, Lie::early_end, Lie::garbage,
                                           Lie::deep, Lie::long_line, Lie::unknown_type, Lie::missing_key,
                                           Lie::server_error));

TEST_F(LinkFixture, AnAnswerWithoutItsEndLineIsAskedForAgain) {
  FakeOptions fake;
  fake.lie = Lie::no_end;
  connect(fake);
  EXPECT_EQ(run("slot_0", "a", "echo whole").output, "whole");
  EXPECT_EQ(server->runs.at("a"), 1U);
}

TEST_F(LinkFixture, ASlotBeyondTheContainersOwnMakesNoTrouble) {
  FakeOptions fake;
  fake.slots = 2;
  connect(fake, {}, 1);
  EXPECT_TRUE(run("slot_1", "a", "echo x").success);
}

}  // namespace
}  // namespace berth::agent
