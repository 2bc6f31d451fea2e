// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "slotd/terminal/recording.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kPlenty = std::size_t{1} << 30;

TimePoint after(double seconds) {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

struct Cast {
  Json header;
  std::vector<Json> events;
  std::string output;
};

Cast decoded(std::string_view lines) {
  Cast cast;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    EXPECT_NE(end, std::string_view::npos) << "only whole lines";
    const auto value = parse_json(lines.substr(0, end));
    EXPECT_TRUE(value.has_value()) << lines.substr(0, end);
    if (value->is_object()) {
      cast.header = *value;
    } else {
      cast.events.push_back(*value);
      if ((*value)[1] == "o") cast.output += (*value)[2].get<std::string>();
    }
    lines.remove_prefix(end + 1);
  }
  return cast;
}

Recording fresh() {
  return Recording({80, 24}, after(0), 1'700'000'000);
}

TEST(Recording, BeginsWithAHeaderOfVersionTwo) {
  const auto recording = fresh();
  const auto cast = decoded(recording.read(0, kPlenty).lines);
  EXPECT_EQ(cast.header["version"], 2);
  EXPECT_EQ(cast.header["width"], 80);
  EXPECT_EQ(cast.header["height"], 24);
  EXPECT_EQ(cast.header["timestamp"], 1'700'000'000);
  EXPECT_TRUE(cast.header["env"].is_object());
}

TEST(Recording, EventsCarryTimeTypeAndText) {
  auto recording = fresh();
  recording.output(after(1.5), "hello\r\n\x1b[1mé");
  recording.resized(after(2), {100, 30});
  const auto cast = decoded(recording.read(0, kPlenty).lines);
  ASSERT_EQ(cast.events.size(), 2U);
  EXPECT_EQ(cast.events[0], Json::parse(R"([1.5, "o", "hello\r\n\u001b[1mé"])"));
  EXPECT_EQ(cast.events[1], Json::parse(R"([2.0, "r", "100x30"])"));
}

TEST(Recording, EveryLineIsReadOnceThroughItsOffset) {
  auto recording = fresh();
  std::uint64_t offset = 0;
  std::string all;
  for (int i = 0; i < 50; ++i) {
    recording.output(after(i), "line " + std::to_string(i) + "\n");
    const auto part = recording.read(offset, kPlenty);
    EXPECT_EQ(part.offset, offset + part.lines.size());
    offset = part.offset;
    all += part.lines;
    EXPECT_EQ(recording.read(offset, kPlenty).lines, "");
  }
  EXPECT_EQ(all, recording.read(0, kPlenty).lines);
  EXPECT_EQ(offset, recording.end());
}

TEST(Recording, ATinyLimitStillGivesOneLineAtATime) {
  auto recording = fresh();
  for (int i = 0; i < 10; ++i) recording.output(after(i), std::string(500, 'x'));
  std::uint64_t offset = 0;
  std::string all;
  int reads = 0;
  while (offset < recording.end()) {
    const auto part = recording.read(offset, 1);
    EXPECT_EQ(std::count(part.lines.begin(), part.lines.end(), '\n'), 1);
    offset = part.offset;
    all += part.lines;
    ASSERT_LT(++reads, 100);
  }
  EXPECT_EQ(reads, 11);
  EXPECT_EQ(decoded(all).output, std::string(5'000, 'x'));
}

TEST(Recording, ALimitIsNotPassedWhereMoreThanOneLineComes) {
  auto recording = fresh();
  for (int i = 0; i < 100; ++i) recording.output(after(i), std::string(100, 'x'));
  for (const std::size_t limit : {200U, 1'000U, 5'000U}) EXPECT_LE(recording.read(0, limit).lines.size(), limit);
}

TEST(Recording, ACharacterCutBetweenTwoReadsIsWhole) {
  auto recording = fresh();
  recording.output(after(1), "a\xE2\x82");
  recording.output(after(2),
                   "\xAC"
                   "b");
  EXPECT_EQ(decoded(recording.read(0, kPlenty).lines).output,
            "a\xE2\x82\xAC"
            "b");
}

TEST(Recording, BytesThatAreNotTextAreReplaced) {
  auto recording = fresh();
  recording.output(after(1),
                   "a\xff"
                   "b\xc3(");
  EXPECT_EQ(decoded(recording.read(0, kPlenty).lines).output, to_valid_utf8("a\xff"
                                                                            "b\xc3("));
}

TEST(Recording, LongOutputIsSplitBetweenCharacters) {
  auto recording = fresh();
  std::string text;
  while (text.size() < 100'000) text += "x\xF0\x9F\x98\x80\x1b";
  recording.output(after(1), text);
  const auto lines = recording.read(0, kPlenty).lines;
  EXPECT_EQ(decoded(lines).output, text);
  for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
    EXPECT_LE(lines.find('\n', at) - at, Recording::kLineBytes);
}

TEST(Recording, TheOldestEventsGoAndMemoryStaysBounded) {
  auto recording = fresh();
  const std::string piece(8'000, 'x');
  for (int i = 0; i < 5'000; ++i) recording.output(after(i), piece);
  EXPECT_LE(recording.memory(), Recording::kBytes + 4'096);
  const auto part = recording.read(0, kPlenty);
  const auto cast = decoded(part.lines);
  EXPECT_EQ(cast.header["version"], 2) << "the header is always there";
  EXPECT_GE(part.lines.size(), Recording::kBytes / 4 * 3 - Recording::kLineBytes);
  EXPECT_EQ(part.offset, recording.end());
  EXPECT_GT(part.skipped, 30'000'000U);
}

TEST(Recording, AReaderThatFellBehindLearnsHowMuchItMissed) {
  auto recording = fresh();
  recording.output(after(1), "first");
  const auto first = recording.read(0, kPlenty);
  for (int i = 0; i < 1'000; ++i) recording.output(after(i), std::string(8'000, 'x'));
  const auto second = recording.read(first.offset, kPlenty);
  EXPECT_EQ(first.offset + second.skipped + second.lines.size(), second.offset);
  EXPECT_GT(second.skipped, 0U);
}

TEST(Recording, TheHeaderNamesTheSizeThatHeldAtTheOldestKeptEvent) {
  auto recording = fresh();
  recording.output(after(1), R"(, "r", "1x1")");
  recording.resized(after(2), {132, 43});
  recording.output(after(3), R"(, "r", "2x2")");
  for (int i = 0; i < 1'000; ++i) recording.output(after(i), std::string(8'000, 'x'));
  recording.resized(after(9), {200, 50});
  const auto cast = decoded(recording.read(0, kPlenty).lines);
  EXPECT_EQ(cast.header["width"], 132);
  EXPECT_EQ(cast.header["height"], 43);
  EXPECT_EQ(cast.events.back()[2], "200x50");
}

}  // namespace
}  // namespace berth::slotd
