// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.hpp"

#include <gtest/gtest.h>
#include <limits>

namespace berth {
namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

const TimePoint kNow{std::chrono::hours(1000)};

TEST(Deadline, ExpiresExactlyAtItsPoint) {
  const auto deadline = Deadline::after(kNow, Seconds(1.5));
  EXPECT_FALSE(deadline.expired(kNow + 1499ms));
  EXPECT_TRUE(deadline.expired(kNow + 1500ms));
  EXPECT_EQ(deadline.remaining(kNow + 1s), 500ms);
  EXPECT_EQ(deadline.remaining(kNow + 5s), 0s);
}

TEST(Deadline, NeverExpiresByDefault) {
  const Deadline never;
  EXPECT_TRUE(never.is_never());
  EXPECT_FALSE(never.expired(kNow));
  EXPECT_EQ(never.remaining(kNow), Duration::max());
}

TEST(Deadline, HasAlreadyExpiredForBudgetsThatAreNone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double seconds : {0.0, -0.0, -1.0, -1e300, nan, -nan, -infinity}) {
    const auto deadline = Deadline::after(kNow, Seconds(seconds));
    EXPECT_TRUE(deadline.expired(kNow)) << seconds;
    EXPECT_EQ(deadline.remaining(kNow), 0s) << seconds;
  }
}

TEST(Deadline, NeverOverflows) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double seconds : {9.3e9, 1e18, 1e300, infinity}) {
    const auto deadline = Deadline::after(kNow, Seconds(seconds));
    EXPECT_FALSE(deadline.expired(kNow + std::chrono::hours(24 * 365 * 50))) << seconds;
    EXPECT_GT(deadline.remaining(kNow), 0s) << seconds;
  }
  EXPECT_TRUE(Deadline::after(TimePoint::max(), Seconds(1)).is_never());
  EXPECT_GT(Deadline::after(TimePoint::min(), Seconds(1e300)).at(), kNow);
}

TEST(Deadline, HoldsLongBudgetsExactly) {
  EXPECT_EQ(Deadline::after(kNow, Seconds(86400.0 * 365)).remaining(kNow), std::chrono::hours(24 * 365));
}

TEST(Deadline, EarlierOfTwoIsTheNearerOne) {
  const auto near = Deadline::after(kNow, Seconds(1));
  EXPECT_EQ(near.earlier(Deadline()).at(), near.at());
  EXPECT_EQ(Deadline().earlier(near).at(), near.at());
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const auto start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(2s);
  EXPECT_EQ(clock.now() - start, 2s);
}

}  // namespace
}  // namespace berth
