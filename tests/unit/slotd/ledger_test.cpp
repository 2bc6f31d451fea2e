// SPDX-License-Identifier: Apache-2.0
#include "slotd/ledger.hpp"

#include <gtest/gtest.h>

namespace berth::slotd {
namespace {

using Match = Ledger::Match;

std::shared_ptr<Execution> call(const std::string& slot, const std::string& id, const std::string& digest = "d") {
  CallRequest request;
  request.slot = slot;
  request.id = id;
  request.digest = digest;
  return std::make_shared<Execution>(std::move(request), 1, TimePoint{}, Deadline());
}

void finish(Ledger& ledger, const std::shared_ptr<Execution>& execution, std::size_t bytes = 10, TimePoint at = {}) {
  execution->result = Finished{true, std::string(bytes, 'x'), "", "{}"};
  execution->reply = execution->result;
  execution->state = ExecutionState::finished;
  execution->finished_at = at;
  ledger.finished(execution);
}

std::shared_ptr<Execution> done(Ledger& ledger, const std::string& slot, const std::string& id, std::size_t bytes = 10,
                                TimePoint at = {}) {
  auto execution = call(slot, id);
  ledger.add(execution);
  finish(ledger, execution, bytes, at);
  ledger.delivered(execution);
  return execution;
}

TEST(Ledger, AnUnknownIdIsFresh) {
  const Ledger ledger;
  EXPECT_EQ(ledger.find("slot_0", "a", "d").match, Match::fresh);
}

TEST(Ledger, TheSameIdAndContentIsTheSameExecutionRunningOrEnded) {
  Ledger ledger;
  const auto execution = call("slot_0", "a");
  ledger.add(execution);
  EXPECT_EQ(ledger.find("slot_0", "a", "d").execution, execution);
  finish(ledger, execution);
  ledger.delivered(execution);
  EXPECT_EQ(ledger.find("slot_0", "a", "d").execution, execution);
}

TEST(Ledger, OtherContentUnderTheSameIdIsTold) {
  Ledger ledger;
  ledger.add(call("slot_0", "a"));
  EXPECT_EQ(ledger.find("slot_0", "a", "other").match, Match::other_content);
}

TEST(Ledger, AnIdBelongsToItsSlot) {
  Ledger ledger;
  ledger.add(call("slot_0", "a"));
  EXPECT_EQ(ledger.find("slot_1", "a", "d").match, Match::fresh);
}

TEST(Ledger, ADroppedResultLeavesATombstone) {
  LedgerBounds bounds;
  bounds.delivered_per_slot = 2;
  Ledger ledger(bounds);
  for (const char* id : {"a", "b", "c"}) done(ledger, "slot_0", id);
  EXPECT_EQ(ledger.find("slot_0", "a", "d").match, Match::gone);
  EXPECT_EQ(ledger.find("slot_0", "a", "other").match, Match::other_content);
  EXPECT_EQ(ledger.find("slot_0", "b", "d").match, Match::same);
}

TEST(Ledger, AResultNobodyFetchedIsNeverDropped) {
  LedgerBounds bounds;
  bounds.delivered_per_slot = 1;
  bounds.total_bytes = 1000;
  Ledger ledger(bounds);
  const auto kept = call("slot_0", "kept");
  ledger.add(kept);
  finish(ledger, kept, 5000);
  for (int i = 0; i < 50; ++i) done(ledger, "slot_0", "id" + std::to_string(i), 500);
  ledger.expire(TimePoint{} + std::chrono::hours(1));
  EXPECT_EQ(ledger.find("slot_0", "kept", "d").execution, kept);
}

TEST(Ledger, IsFullWhenUnfetchedResultsPassTheBudgetAndFreeOnceTheyAreFetched) {
  LedgerBounds bounds;
  bounds.total_bytes = 20'000;
  Ledger ledger(bounds);
  std::vector<std::shared_ptr<Execution>> all;
  while (!ledger.full()) {
    all.push_back(call("slot_0", "id" + std::to_string(all.size())));
    ledger.add(all.back());
    finish(ledger, all.back(), 5000);
    ASSERT_LT(all.size(), 10U);
  }
  for (const auto& execution : all) ledger.delivered(execution);
  EXPECT_FALSE(ledger.full());
  EXPECT_LE(ledger.held_bytes(), bounds.total_bytes);
}

TEST(Ledger, TheOldestDeliveredResultOfAnySlotGoesFirst) {
  LedgerBounds bounds;
  bounds.total_bytes = 20'000;
  Ledger ledger(bounds);
  done(ledger, "slot_1", "old", 9000, TimePoint{} + std::chrono::seconds(1));
  done(ledger, "slot_0", "young", 9000, TimePoint{} + std::chrono::seconds(2));
  done(ledger, "slot_0", "younger", 9000, TimePoint{} + std::chrono::seconds(3));
  EXPECT_EQ(ledger.find("slot_1", "old", "d").match, Match::gone);
  EXPECT_EQ(ledger.find("slot_0", "younger", "d").match, Match::same);
}

TEST(Ledger, ResultsExpireTenMinutesAfterTheirEnd) {
  Ledger ledger;
  done(ledger, "slot_0", "a", 10, TimePoint{} + std::chrono::seconds(5));
  ledger.expire(TimePoint{} + std::chrono::seconds(604));
  EXPECT_EQ(ledger.find("slot_0", "a", "d").match, Match::same);
  ledger.expire(TimePoint{} + std::chrono::seconds(605));
  EXPECT_EQ(ledger.find("slot_0", "a", "d").match, Match::gone);
}

TEST(Ledger, AResetForgetsTheSlotAndItsBytes) {
  Ledger ledger;
  done(ledger, "slot_0", "a", 5000);
  const auto open = call("slot_0", "b");
  ledger.add(open);
  finish(ledger, open, 5000);
  done(ledger, "slot_1", "a", 10);
  const auto before = ledger.held_bytes();
  ledger.forget_slot("slot_0");
  EXPECT_EQ(ledger.find("slot_0", "a", "d").match, Match::fresh);
  EXPECT_EQ(ledger.find("slot_1", "a", "d").match, Match::same);
  EXPECT_LT(ledger.held_bytes(), before - 9000);
  ledger.delivered(open);  // late: it belongs to nobody now
  EXPECT_EQ(ledger.find("slot_0", "b", "d").match, Match::fresh);
}

TEST(Ledger, IdsASlotAreBoundedByTheOldestDelivered) {
  LedgerBounds bounds;
  bounds.ids_per_slot = 100;
  Ledger ledger(bounds);
  for (int i = 0; i < 1000; ++i) done(ledger, "slot_0", "id" + std::to_string(i));
  EXPECT_LE(ledger.ids("slot_0"), 100U);
  EXPECT_EQ(ledger.find("slot_0", "id999", "d").match, Match::same);
}

TEST(Ledger, DeliveryBeforeTheEndCountsOnceItEnds) {
  LedgerBounds bounds;
  bounds.delivered_per_slot = 1;
  Ledger ledger(bounds);
  const auto background = call("slot_0", "bg");
  ledger.add(background);
  ledger.delivered(background);
  finish(ledger, background);
  done(ledger, "slot_0", "next");
  EXPECT_EQ(ledger.find("slot_0", "bg", "d").match, Match::gone);
}

}  // namespace
}  // namespace berth::slotd
