// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>

namespace berth {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, ExposeNothingWhenThereAreNone) {
  EXPECT_EQ(MetricsRegistry().expose(), "");
}

TEST(Metrics, ExposeCountersAndGaugesWithTheirLabels) {
  MetricsRegistry registry;
  auto& calls = registry.counter("berth_calls_total", "Calls by cause");
  auto& slots = registry.gauge("berth_slots", "Slots");
  calls.add(1, metric_label("cause", "exit"));
  calls.add(2, metric_label("cause", "exit"));
  calls.add(1, metric_label("cause", "timeout"));
  slots.set(2.5);
  slots.set(-3);
  EXPECT_EQ(registry.expose(),
            "# HELP berth_calls_total Calls by cause\n"
            "# TYPE berth_calls_total counter\n"
            "berth_calls_total{cause=\"exit\"} 3\n"
            "berth_calls_total{cause=\"timeout\"} 1\n"
            "# HELP berth_slots Slots\n"
            "# TYPE berth_slots gauge\n"
            "berth_slots -3\n");
}

TEST(Metrics, HistogramBucketsAreCumulativeAndInclusive) {
  MetricsRegistry registry;
  auto& wall = registry.histogram("berth_wall_seconds", "Wall time", {0.5, 0.1});
  for (const double value : {0.05, 0.1, 0.2, 0.5, 7.0}) wall.observe(value);
  EXPECT_EQ(registry.expose(),
            "# HELP berth_wall_seconds Wall time\n"
            "# TYPE berth_wall_seconds histogram\n"
            "berth_wall_seconds_bucket{le=\"0.1\"} 2\n"
            "berth_wall_seconds_bucket{le=\"0.5\"} 4\n"
            "berth_wall_seconds_bucket{le=\"+Inf\"} 5\n"
            "berth_wall_seconds_sum 7.85\n"
            "berth_wall_seconds_count 5\n");
}

TEST(Metrics, CountersNeverGoDown) {
  Counter counter;
  counter.add(5);
  counter.add(-3);
  counter.add(std::nan(""));
  EXPECT_EQ(counter.value(), 5);
  EXPECT_EQ(counter.value("cause=\"other\""), 0);
}

TEST(Metrics, HistogramLeavesOutNan) {
  MetricsRegistry registry;
  registry.histogram("h", "h", {1}).observe(std::nan(""));
  EXPECT_THAT(registry.expose(), HasSubstr("h_count 0\n"));
  EXPECT_THAT(registry.expose(), HasSubstr("h_sum 0\n"));
}

TEST(Metrics, ReferencesOutliveTheGrowthOfTheRegistry) {
  MetricsRegistry registry;
  auto& first = registry.counter("first", "f");
  for (int i = 0; i < 1000; ++i) registry.gauge("g" + std::to_string(i), "g");
  first.add(7);
  EXPECT_THAT(registry.expose(), HasSubstr("first 7\n"));
}

TEST(Metrics, ANameAskedForAgainIsTheSameFamily) {
  MetricsRegistry registry;
  registry.counter("c", "c").add(1);
  registry.counter("c", "c").add(2);
  registry.histogram("h", "h", {1}).observe(0);
  registry.histogram("h", "h", {1}).observe(0);
  EXPECT_THAT(registry.expose(), HasSubstr("c 3\n"));
  EXPECT_THAT(registry.expose(), HasSubstr("h_count 2\n"));
}

TEST(Metrics, LabelsAndHelpAreEscaped) {
  EXPECT_EQ(metric_label("l", "a\"b\\c\nd"), R"(l="a\"b\\c\nd")");
  EXPECT_EQ(metric_label("l", "\xFF"), "l=\"\xEF\xBF\xBD\"");
  MetricsRegistry registry;
  registry.counter("c", "one\ntwo\\").add();
  EXPECT_THAT(registry.expose(), HasSubstr("# HELP c one\\ntwo\\\\\n"));
}

TEST(Metrics, SpecialAndLargeNumbersAreSpelledAsTheFormatSays) {
  MetricsRegistry registry;
  auto& gauge = registry.gauge("g", "g");
  gauge.set(std::numeric_limits<double>::infinity(), "k=\"1\"");
  gauge.set(-std::numeric_limits<double>::infinity(), "k=\"2\"");
  gauge.set(std::nan(""), "k=\"3\"");
  gauge.set(1e21, "k=\"4\"");
  const std::string text = registry.expose();
  for (const char* sample : {"{k=\"1\"} +Inf\n", "{k=\"2\"} -Inf\n", "{k=\"3\"} NaN\n", "{k=\"4\"} 1e+21\n"}) {
    EXPECT_THAT(text, HasSubstr(sample));
  }
}

}  // namespace
}  // namespace berth
