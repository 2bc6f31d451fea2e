// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "slotd/terminal/stream_parser.hpp"

namespace berth::slotd {
namespace {

// Writes down what it is given, one bracketed word an event.
class Notes final : public SequenceSink {
 public:
  std::string log;
  std::string all_text;

  void text(std::string_view utf8) override {
    EXPECT_TRUE(is_valid_utf8(utf8));
    EXPECT_LE(utf8.size(), StreamParser::kTextBytes);
    all_text += utf8;
    log += utf8;
  }
  void control(char character) override { log += "{" + std::to_string(character) + "}"; }
  void escape(char intermediate, char final) override {
    log += "<esc ";
    if (intermediate != 0) log += intermediate;
    log += std::string(1, final) + ">";
  }
  void sequence(const ControlSequence& sequence) override {
    log += "<";
    if (sequence.leader != 0) log += sequence.leader;
    for (std::size_t i = 0; i < sequence.count; ++i) log += (i > 0 ? ";" : "") + std::to_string(sequence.parameters[i]);
    if (sequence.intermediate != 0) log += sequence.intermediate;
    log += std::string(1, sequence.final) + ">";
  }
};

std::string parsed(std::string_view bytes) {
  Notes whole;
  StreamParser().feed(bytes, whole);
  // Cut anywhere, a stream says the same.
  Notes pieces;
  StreamParser parser;
  for (const char byte : bytes) parser.feed({&byte, 1}, pieces);
  EXPECT_EQ(whole.log, pieces.log);
  return whole.log;
}

TEST(StreamParser, GivesTextControlsAndSequencesApart) {
  EXPECT_EQ(parsed("ab\r\n\x1b[1;31mred\x1b[0m"), "ab{13}{10}<1;31m>red<0m>");
  EXPECT_EQ(parsed("\x1b(0\x1b"
                   "7\x1b[?1049h\x1b[!p\x1b[;5H"),
            "<esc (0><esc 7><?1049h><-1!p><-1;5H>");
}

TEST(StreamParser, ControlsWorkInsideASequence) {
  EXPECT_EQ(parsed("\x1b[1\n;2H"), "{10}<1;2H>");
}

TEST(StreamParser, CancelAndEscapeEndASequence) {
  EXPECT_EQ(parsed("\x1b[1\x18"
                   "2H\x1b[3\x1a"
                   "A\x1b[\x1b[4A"),
            "2HA<4A>");
}

TEST(StreamParser, StringsAreDroppedWhateverEndsThem) {
  EXPECT_EQ(parsed("a\x1b]0;title\x07"
                   "b\x1b]52;c;QUJD\x1b\\c\x1bPq\x1b\\d\x1b_apc\x1b\\e"),
            "abcde");
  EXPECT_EQ(parsed("a\x1b]0;cut\x1b[5Ab\x1b]0;cut\x18"
                   "c"),
            "a<5A>bc");
}

TEST(StreamParser, ALongStringTakesNoMemoryAndNoSequence) {
  Notes notes;
  StreamParser parser;
  parser.feed("\x1b]0;", notes);
  for (int i = 0; i < 1'000; ++i) parser.feed(std::string(1'000, 'x'), notes);
  parser.feed("\x07ok", notes);
  EXPECT_EQ(notes.log, "ok");
}

TEST(StreamParser, NumbersAreCapped) {
  EXPECT_EQ(parsed("\x1b[99999999999999999999999A"), "<9999A>");
}

TEST(StreamParser, MoreParametersThanFitDropTheSequence) {
  std::string most = "\x1b[1";
  for (std::size_t i = 1; i < ControlSequence::kMaxParameters; ++i) most += ";1";
  EXPECT_EQ(parsed(most + "m").substr(0, 5), "<1;1;");
  EXPECT_EQ(parsed(most + ";1mx"), "x");
  EXPECT_EQ(parsed("\x1b[" + std::string(5'000, ';') + "Hx"), "x");
}

TEST(StreamParser, MalformedSequencesAreDropped) {
  EXPECT_EQ(parsed("\x1b[4:3mx"), "x");
  EXPECT_EQ(parsed("\x1b[1?2hx"), "x");
  EXPECT_EQ(parsed("\x1b[??2hx"), "x");
  EXPECT_EQ(parsed("\x1b[1 \"qx"), "x");
  EXPECT_EQ(parsed("\x1b#(8x"), "x");
}

TEST(StreamParser, BytesThatAreNotTextBecomeReplacementCharacters) {
  EXPECT_EQ(parsed("a\xff"
                   "b\xc3(\xe2\x82\x1b[A"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD(\xEF\xBF\xBD<-1A>");
}

TEST(StreamParser, C1CodePointsNulAndDeleteVanish) {
  EXPECT_EQ(parsed(std::string_view("a\xc2\x9b"
                                    "5A\xc2\x80\0b\x7f"
                                    "c",
                                    11)),
            "a5Abc");
}

TEST(StreamParser, LongTextComesInBoundedPieces) {
  std::string text;
  while (text.size() < 10 * StreamParser::kTextBytes) text += "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  Notes notes;
  StreamParser().feed(text, notes);
  EXPECT_EQ(notes.all_text, text);
}

}  // namespace
}  // namespace berth::slotd
