// SPDX-License-Identifier: Apache-2.0
#include "tests/model/harness.hpp"

namespace berth::pool::model {
namespace {

class Slots : public PoolTest {
 protected:
  void SetUp() override {
    job_with_slots(1);
    lease_ = take("t");
    send(ReleaseRequested{lease_.id});
    reset_ = only<ResetSlot>();
  }
  void answer(Generation generation, bool ok) { send(SlotReset{reset_.container, 0, generation, ok, "why"}); }
  [[nodiscard]] SlotState state() const { return state_of(reset_.container, 0); }

  Lease lease_;
  ResetSlot reset_;
};

TEST_F(Slots, AreResetToTheNextGenerationAfterEveryLease) {
  EXPECT_EQ(reset_.generation, lease_.generation + 1);
  EXPECT_FALSE(reset_.rebuild);
  EXPECT_EQ(state(), SlotState::releasing);
}

TEST_F(Slots, AreLeasedWithTheGenerationOfTheirReset) {
  answer(reset_.generation, true);
  EXPECT_EQ(state(), SlotState::available);
  EXPECT_EQ(take("next").generation, reset_.generation);
}

TEST_F(Slots, AreNotFreedByAnAnswerToAnotherReset) {
  answer(reset_.generation - 1, true);
  answer(reset_.generation + 1, true);
  answer(reset_.generation - 1, false);
  EXPECT_EQ(state(), SlotState::releasing);
}

TEST_F(Slots, AreNotTouchedByARepeatedAnswer) {
  answer(reset_.generation, true);
  const Lease next = take("next");
  answer(reset_.generation, true);
  answer(reset_.generation, false);
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_NE(pool_.find_lease(next.id), nullptr);
}

TEST_F(Slots, AreRebuiltAfterAPauseWhenAResetFails) {
  answer(reset_.generation, false);
  EXPECT_EQ(state(), SlotState::error);
  EXPECT_EQ(pool_.slots().front().cause, "why");
  pass(seconds(1));
  EXPECT_EQ(only<ResetSlot>().generation, reset_.generation + 1);
  EXPECT_TRUE(only<ResetSlot>().rebuild);
  answer(reset_.generation, true);  // the failed one after all: too late
  EXPECT_EQ(state(), SlotState::releasing);
  answer(reset_.generation + 1, true);
  EXPECT_EQ(state(), SlotState::available);
}

TEST_F(Slots, AreInErrorWhenTheAnswerDoesNotCome) {
  pass(Options{}.reset_timeout);
  EXPECT_EQ(state(), SlotState::error);
  answer(reset_.generation, true);
  EXPECT_EQ(state(), SlotState::error);
}

TEST_F(Slots, AreResetAgainWhenSlotdHasPassedTheResetThatIsAwaited) {
  send(ContainerStarted{reset_.container, 1, "boot", {reset_.generation + 3}});
  EXPECT_EQ(only<ResetSlot>().generation, reset_.generation + 4);
  answer(reset_.generation, true);
  EXPECT_EQ(state(), SlotState::releasing);
}

TEST_F(Slots, TakeTheirContainerAlongWhenTheyCannotBeReset) {
  for (unsigned i = 0; i < Options{}.max_rebuilds; ++i) {
    const auto resets = all<ResetSlot>();
    if (resets.empty()) pass(minutes(1));
    answer(only<ResetSlot>().generation, false);
  }
  EXPECT_THAT(only<StopContainer>().why, HasSubstr("slot_0 cannot be reset"));
  send(ContainerStopped{reset_.container});
  EXPECT_THAT(all<StartContainer>(), SizeIs(1));
}

TEST_F(Slots, IgnoreAnswersAboutWhatDoesNotExist) {
  send(SlotReset{"nowhere", 0, 1, true, ""});
  send(SlotReset{reset_.container, 77, 1, true, ""});
  EXPECT_THAT(effects_, IsEmpty());
}

TEST_F(Slots, HaveTheirGenerationStoredBeforeTheReset) {
  job_with_slots(1);
  answer(reset_.generation, true);
  send(ReleaseRequested{take("next").id});
  const auto stored = std::find_if(effects_.begin(), effects_.end(), [](const Effect& one) {
    const auto* change = std::get_if<Persist>(&one);
    return change != nullptr && std::holds_alternative<SlotSaved>(change->change);
  });
  const auto asked = std::find_if(effects_.begin(), effects_.end(),
                                  [](const Effect& one) { return std::holds_alternative<ResetSlot>(one); });
  EXPECT_LT(stored, asked);
}

TEST(SlotWords, AreThoseOfTheWire) {
  EXPECT_EQ(to_string(SlotState::executing), "executing");
  EXPECT_EQ(to_peer_string(SlotState::starting), "releasing");
  EXPECT_EQ(to_peer_string(SlotState::lost), "error");
  EXPECT_EQ(to_peer_string(SlotState::acquired), "acquired");
}

TEST(SlotNames, AreReadBackStrictly) {
  EXPECT_EQ(slot_name(7), "slot_7");
  EXPECT_EQ(slot_index("slot_7"), 7U);
  EXPECT_EQ(slot_index("slot_0"), 0U);
  for (const char* bad : {"", "slot_", "slot_07", "slot_-1", "slot_1x", "slot_65536", "Slot_1", "slot_ 1"}) {
    EXPECT_EQ(slot_index(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace berth::pool::model
