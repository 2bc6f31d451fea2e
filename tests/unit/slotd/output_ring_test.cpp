// SPDX-License-Identifier: Apache-2.0
#include "slotd/output_ring.hpp"

#include <gtest/gtest.h>
#include <random>

#include "base/text.hpp"

namespace berth::slotd {
namespace {

std::string numbered(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ";";
  text.resize(bytes);
  return text;
}

TEST(OutputRing, KeepsShortOutputWhole) {
  OutputRing ring;
  ring.append("hello ");
  ring.append("world");
  EXPECT_EQ(ring.text().text, "hello world");
  EXPECT_FALSE(ring.text().truncated);
  EXPECT_EQ(ring.total(), 11U);
}

TEST(OutputRing, KeepsExactlyTheLimitWithoutAMark) {
  OutputRing ring;
  ring.append(std::string(kOutputCharacters, 'x'));
  EXPECT_FALSE(ring.text().truncated);
  EXPECT_EQ(ring.text().text.size(), kOutputCharacters);
}

TEST(OutputRing, OneCharacterMoreCutsTheMiddle) {
  OutputRing ring;
  const auto text = numbered(kOutputCharacters + 1);
  ring.append(text);
  const auto cut = ring.text();
  EXPECT_TRUE(cut.truncated);
  constexpr auto kHalf = kOutputCharacters / 2;
  EXPECT_EQ(cut.text, text.substr(0, kHalf) + std::string(kTruncationMark) + text.substr(text.size() - kHalf));
}

TEST(OutputRing, ALongStreamKeepsItsEndsAndCountsExactly) {
  OutputRing ring;
  const auto text = numbered(3'000'000);
  for (std::size_t at = 0; at < text.size(); at += 7777) ring.append(std::string_view(text).substr(at, 7777));
  EXPECT_EQ(ring.total(), text.size());
  EXPECT_LE(ring.kept_bytes(), OutputRing::kHeadBytes + OutputRing::kTailBytes);
  constexpr auto kHalf = kOutputCharacters / 2;
  EXPECT_EQ(ring.text().text, text.substr(0, kHalf) + std::string(kTruncationMark) + text.substr(text.size() - kHalf));
}

TEST(OutputRing, CountsCharactersNotBytes) {
  OutputRing ring;
  std::string text;
  for (std::size_t i = 0; i < kOutputCharacters; ++i) text += "\xF0\x9F\x9A\xA2";
  ring.append(text);
  EXPECT_EQ(ring.text().text, text);
  ring.append("!");
  const auto cut = ring.text();
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(utf8_length(cut.text), kOutputCharacters + kTruncationMark.size());
  EXPECT_FALSE(cut.lossy);
}

TEST(OutputRing, TheCutNeverMakesBytesThatAreNotUtf8) {
  for (std::size_t shift = 0; shift < 4; ++shift) {
    OutputRing ring;
    ring.append(std::string(shift, 'a'));
    for (int i = 0; i < 200'000; ++i) ring.append("\xE2\x82\xAC");
    const auto cut = ring.text();
    EXPECT_TRUE(is_valid_utf8(cut.text)) << shift;
    EXPECT_FALSE(cut.lossy) << shift;
    EXPECT_EQ(cut.text.find("\xEF\xBF\xBD"), std::string::npos) << shift;
  }
}

TEST(OutputRing, ForeignBytesAreReplacedAndFlagged) {
  OutputRing ring;
  ring.append(
      "a\xFF"
      "b");
  EXPECT_EQ(ring.text().text,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_TRUE(ring.text().lossy);
}

TEST(OutputRing, ReadsFromAnOffset) {
  OutputRing ring;
  ring.append("0123456789");
  EXPECT_EQ(ring.read(4, 100).data, "456789");
  EXPECT_EQ(ring.read(4, 2).data, "45");
  EXPECT_EQ(ring.read(10, 100).data, "");
  EXPECT_EQ(ring.read(999, 100).data, "");
}

// Against the plain string, at random pieces and offsets: what is given is true, and only dropped bytes are skipped.
TEST(OutputRing, EveryReadAgreesWithTheStream) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    OutputRing ring;
    const auto text = numbered(random() % 900'000);
    for (std::size_t at = 0; at < text.size();) {
      const auto piece = 1 + random() % 50'000;
      ring.append(std::string_view(text).substr(at, piece));
      at += piece;
    }
    ASSERT_EQ(ring.total(), text.size());
    std::uint64_t offset = 0;
    std::uint64_t skipped = 0;
    while (true) {
      const auto part = ring.read(offset, 1 + random() % 70'000);
      if (part.data.empty()) break;
      ASSERT_GE(part.offset, offset);
      skipped += part.offset - offset;
      ASSERT_EQ(part.data, text.substr(part.offset, part.data.size()));
      offset = part.offset + part.data.size();
    }
    EXPECT_EQ(offset, text.size());
    EXPECT_EQ(skipped, text.size() - ring.kept_bytes());
  }
}

}  // namespace
}  // namespace berth::slotd
