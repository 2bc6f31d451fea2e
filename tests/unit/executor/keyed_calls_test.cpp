// SPDX-License-Identifier: Apache-2.0
// Calls of external tools by their key: known while they run and after, within bounds.
#include "agent/executor/keyed_calls.hpp"

#include <gtest/gtest.h>

namespace berth::agent {
namespace {

using namespace std::chrono_literals;

const Trajectories::Key kMine{"alice", "t"};

Result result_of(std::size_t bytes) {
  Result result;
  result.output = std::string(bytes, 'x');
  return result;
}

class KeyedCallsTest : public ::testing::Test {
 protected:
  KeyedCalls::CallPtr made(KeyedCalls& calls, const std::string& key, std::size_t bytes = 1) {
    const auto call = calls.begin({kMine, key}, "content");
    calls.end(call, result_of(bytes), at);
    return call;
  }

  boost::asio::io_context context;
  TimePoint at{};
};

TEST_F(KeyedCallsTest, AKeyIsKnownFromItsBeginning) {
  KeyedCalls calls(context);
  EXPECT_EQ(calls.find({kMine, "k"}, at), nullptr);
  const auto call = calls.begin({kMine, "k"}, "content");
  EXPECT_EQ(calls.find({kMine, "k"}, at), call);
  EXPECT_FALSE(call->over);
  calls.end(call, result_of(3), at);
  EXPECT_TRUE(call->over);
  EXPECT_EQ(calls.find({kMine, "k"}, at)->result->output, "xxx");
  EXPECT_EQ(calls.find({{"bob", "t"}, "k"}, at), nullptr);
}

TEST_F(KeyedCallsTest, WhatReachedNobodyMayBeMadeAgain) {
  KeyedCalls calls(context);
  const auto call = calls.begin({kMine, "k"}, "content");
  calls.end_unmade(call, result_of(1), at);
  EXPECT_TRUE(call->over);
  EXPECT_EQ(calls.find({kMine, "k"}, at), nullptr);
}

TEST_F(KeyedCallsTest, ResultsGoWithTimeAndTheirKeysStay) {
  KeyedCalls calls(context);
  made(calls, "k");
  const auto later = calls.find({kMine, "k"}, at + 10min + 1s);
  ASSERT_NE(later, nullptr);
  EXPECT_TRUE(later->over);
  EXPECT_FALSE(later->result.has_value());
  EXPECT_EQ(calls.bytes(), 0U);
}

TEST_F(KeyedCallsTest, ResultsFillTheirMemoryAndNoMore) {
  KeyedCalls calls(context, {.calls = 100, .bytes = 10'000, .kept_for = 10min});
  for (int i = 0; i < 50; ++i) made(calls, "k" + std::to_string(i), 1'000);
  EXPECT_LE(calls.bytes(), 10'000U);
  EXPECT_EQ(calls.size(), 50U);
  EXPECT_FALSE(calls.find({kMine, "k0"}, at)->result.has_value());
  EXPECT_TRUE(calls.find({kMine, "k49"}, at)->result.has_value());
}

TEST_F(KeyedCallsTest, TheOldestKeysGoAndRunningOnesNever) {
  KeyedCalls calls(context, {.calls = 3, .bytes = 10'000, .kept_for = 10min});
  const auto running = calls.begin({kMine, "running"}, "content");
  for (int i = 0; i < 10; ++i) made(calls, "k" + std::to_string(i));
  EXPECT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls.find({kMine, "running"}, at), running);
  EXPECT_EQ(calls.find({kMine, "k0"}, at), nullptr);
  EXPECT_NE(calls.find({kMine, "k9"}, at), nullptr);
}

TEST_F(KeyedCallsTest, AReleasedTrajectoryForgetsItsKeysAndNobodyElses) {
  KeyedCalls calls(context);
  made(calls, "k");
  const auto running = calls.begin({kMine, "running"}, "content");
  const auto others = calls.begin({{"alice", "t2"}, "k"}, "content");
  calls.forget(kMine);
  EXPECT_EQ(calls.find({kMine, "k"}, at), nullptr);
  EXPECT_EQ(calls.find({{"alice", "t2"}, "k"}, at), others);
  EXPECT_EQ(calls.bytes(), 0U);
  // It ends for those who wait for it; a call that took its key meanwhile is another one.
  const auto anew = calls.begin({kMine, "running"}, "content");
  calls.end(running, result_of(5), at);
  EXPECT_EQ(running->result->output, "xxxxx");
  EXPECT_EQ(calls.find({kMine, "running"}, at), anew);
  EXPECT_EQ(calls.bytes(), 0U);
}

}  // namespace
}  // namespace berth::agent
