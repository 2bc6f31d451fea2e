// SPDX-License-Identifier: Apache-2.0
// What the engine says of a container's use and of its log.
#include <gtest/gtest.h>

#include "drivers/docker/answers.hpp"
#include "drivers/docker/log_stamps.hpp"

namespace berth::drivers::docker {
namespace {

TEST(DockerUsage, IsWithoutWhatTheKernelCanTakeBack) {
  const auto v1 = read_usage(R"({"cpu_stats":{"cpu_usage":{"total_usage":2500000000}},"pids_stats":{"current":7},)"
                             R"("memory_stats":{"usage":1000,"stats":{"total_inactive_file":300,"inactive_file":1}}})");
  ASSERT_TRUE(v1.has_value());
  EXPECT_EQ(v1->cpu_seconds, 2.5);
  EXPECT_EQ(v1->memory_bytes, 700U);
  EXPECT_EQ(v1->pids, 7U);
  EXPECT_EQ(read_usage(R"({"memory_stats":{"usage":1000,"stats":{"inactive_file":400}}})")->memory_bytes, 600U);
  EXPECT_EQ(read_usage(R"({"memory_stats":{"usage":10,"stats":{"inactive_file":400}}})")->memory_bytes, 0U);
}

TEST(DockerUsage, IsNotKnownWhereTheEngineDoesNotSay) {
  const auto ended = read_usage(R"({"cpu_stats":{"cpu_usage":{}},"pids_stats":{},"memory_stats":{"usage":-1}})");
  ASSERT_TRUE(ended.has_value());
  EXPECT_FALSE(ended->cpu_seconds || ended->memory_bytes || ended->pids);
  EXPECT_EQ(read_usage("[]").error().code, "engine_protocol");
}

TEST(DockerLog, LinesLoseTheirTimesAndTheLastIsThePlaceBehindIt) {
  const LogPart part = without_stamps(
      "2026-11-22T02:39:53.000000009Z one\n2026-11-22T02:39:53.999999999Z\n2024-02-29T00:00:00.500000000Z three\n", "");
  EXPECT_EQ(part.text, "one\n\nthree\n");
  EXPECT_EQ(part.next, "1795315194.000000000");
}

TEST(DockerLog, WhatHasNoTimeIsKept) {
  EXPECT_EQ(without_stamps("2026-11-22 no time\n\nend", "5.1").text, "2026-11-22 no time\n\nend");
  EXPECT_EQ(without_stamps("", "5.1").next, "5.1");
}

TEST(DockerLog, PlacesAreNumbersAlone) {
  for (const char* good : {"", "1", "1795315193.000000010"}) EXPECT_TRUE(is_log_place(good)) << good;
  for (const char* bad : {".", "1.", ".1", "1.2.3", "-1", "1&tail=1", "2026-11-22T02:39:53Z"})
    EXPECT_FALSE(is_log_place(bad)) << bad;
  EXPECT_FALSE(is_log_place(std::string(100, '1')));
}

}  // namespace
}  // namespace berth::drivers::docker
