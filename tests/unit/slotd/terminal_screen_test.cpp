// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "slotd/terminal/screen.hpp"

namespace berth::slotd {
namespace {

constexpr TerminalSize kSmall{20, 10};

// The rows of a screen without the blank ones at its end.
std::string shown(const Screen& screen) {
  auto text = screen.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), static_cast<long>(screen.size().rows));
  while (text.size() > 1 && text.ends_with("\n\n")) text.pop_back();
  return text == "\n" ? "" : text;
}

std::string after(std::string_view bytes) {
  Screen screen(kSmall);
  screen.feed(bytes);
  return shown(screen);
}

TEST(Screen, ShowsLinesWithoutTheBlanksAtTheirEnds) {
  EXPECT_EQ(after("hello   \r\n  world"), "hello\n  world\n");
  EXPECT_EQ(Screen(kSmall).text(), std::string(10, '\n'));
}

TEST(Screen, WrapsAtTheWidth) {
  EXPECT_EQ(after(std::string(20, 'a') + "bc"), std::string(20, 'a') + "\nbc\n");
}

TEST(Screen, CursorMovesEraseAndInsert) {
  EXPECT_EQ(after("abcdef\x1b[3D\x1b[1P"), "abcef\n");
  EXPECT_EQ(after("abc\r\x1b[2@x"), "x abc\n");
  EXPECT_EQ(after("abc\r\x1b[4hX"), "Xabc\n");
  EXPECT_EQ(after("abcdef\x1b[2;3Hx\x1b[1;4H\x1b[K"), "abc\n  x\n");
  EXPECT_EQ(after("a\r\nb\r\nc\x1b[2;1H\x1b[1M"), "a\nc\n");
  EXPECT_EQ(after("a\r\nb\x1b[1;1H\x1b[1L"), "\na\nb\n");
  EXPECT_EQ(after("abcdef\x1b[1;3H\x1b[2X"), "ab  ef\n");
  EXPECT_EQ(after("abc\x1b[2Jx"), "   x\n");
  EXPECT_EQ(after("x\ty"), "x       y\n");
}

TEST(Screen, ScrollsInsideItsMargins) {
  EXPECT_EQ(after("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n"), "1\n3\n\n4\n");
  EXPECT_EQ(after("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bM"), "1\n\n2\n4\n");
}

TEST(Screen, DrawsLinesAndWideAndCombinedCharacters) {
  EXPECT_EQ(after("\x1b(0lqk\x1b(Bq"), "\xE2\x94\x8C\xE2\x94\x80\xE2\x94\x90q\n");
  EXPECT_EQ(after("\xE6\xBC\xA2\xE5\xAD\x97"
                  "a"),
            "\xE6\xBC\xA2\xE5\xAD\x97"
            "a\n");
  EXPECT_EQ(after("e\xCC\x81x"), "e\xCC\x81x\n");
}

TEST(Screen, NoHalfOfAWideCharacterStays) {
  EXPECT_EQ(after("\xE6\xBC\xA2\x1b[1;2Hx"), " x\n");
  EXPECT_EQ(after("\xE6\xBC\xA2\x1b[1;1Hx"), "x\n");
  EXPECT_EQ(after("a\xE6\xBC\xA2"
                  "b\x1b[1;2H\x1b[1P"),
            "a b\n")
      << "its second column comes in as a blank";
  EXPECT_EQ(after("a\xE6\xBC\xA2"
                  "b\x1b[1;3H\x1b[K"),
            "a\n");
}

TEST(Screen, TheAlternateScreenLeavesTheMainOneAlone) {
  Screen screen(kSmall);
  screen.feed("prompt$ \x1b[?1049h\x1b[Hvim");
  EXPECT_EQ(shown(screen), "vim\n");
  screen.feed("\x1b[?1049lx");
  EXPECT_EQ(shown(screen), "prompt$ x\n");
  EXPECT_EQ(screen.text_with_scrollback(), screen.text());
}

TEST(Screen, LinesThatScrollOffAreKept) {
  Screen screen(kSmall);
  for (int i = 1; i <= 5'000; ++i) screen.feed("line " + std::to_string(i) + "\r\n");
  std::string all;
  for (int i = 1; i <= 5'000; ++i) all += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(screen.text_with_scrollback(), all + "\n");
  EXPECT_EQ(screen.lines_lost(), 0U);
}

TEST(Screen, AScrollBackBeyondItsMemoryCountsWhatItLost) {
  Screen screen(kSmall);
  for (int i = 1; i <= 100'000; ++i) screen.feed(std::to_string(i) + "\r\n");
  const auto kept = screen.text_with_scrollback();
  const auto first = std::stoull(kept);
  EXPECT_EQ(first, screen.lines_lost() + 1);
  EXPECT_LE(screen.memory(), Screen::kScrollbackBytes + 16'384);
  EXPECT_GE(kept.size(), Screen::kScrollbackBytes / 4 * 3);
}

TEST(Screen, ClearingTheScrollBackEmptiesIt) {
  Screen screen(kSmall);
  for (int i = 0; i < 100; ++i) screen.feed("old\r\n");
  screen.feed("\x1b[H\x1b[2J\x1b[3Jnew");
  EXPECT_EQ(screen.text_with_scrollback(), screen.text());
  EXPECT_EQ(shown(screen), "new\n");
}

TEST(Screen, GrowsAndShrinksAroundItsCursor) {
  Screen screen({40, 12});
  for (int i = 1; i <= 12; ++i) screen.feed((i > 1 ? "\r\n" : "") + std::to_string(i));
  screen.resize(kSmall);
  EXPECT_EQ(shown(screen), "3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
  EXPECT_EQ(screen.text_with_scrollback().substr(0, 6), "1\n2\n3\n");
  screen.feed("x");
  screen.resize({500, 200});
  screen.feed("y");
  EXPECT_EQ(shown(screen), "3\n4\n5\n6\n7\n8\n9\n10\n11\n12xy\n");
}

TEST(Screen, AnswersQuestionsAndKeepsFewAnswers) {
  Screen screen(kSmall);
  screen.feed("ab\x1b[6n");
  EXPECT_EQ(screen.take_replies(), "\x1b[1;3R");
  screen.feed("\x1b[c");
  EXPECT_EQ(screen.take_replies(), "\x1b[?1;2c");
  for (int i = 0; i < 10'000; ++i) screen.feed("\x1b[6n");
  EXPECT_LE(screen.take_replies().size(), Screen::kReplyBytes);
  EXPECT_EQ(screen.take_replies(), "");
}

TEST(Screen, KnowsWhatKeysTheProgramWants) {
  Screen screen(kSmall);
  screen.feed("\x1b[?1h\x1b=");
  EXPECT_TRUE(screen.key_modes().application_cursor && screen.key_modes().application_keypad);
  screen.feed(
      "\x1b"
      "c");
  EXPECT_FALSE(screen.key_modes().application_cursor || screen.key_modes().application_keypad);
}

// What libvterm 0.1.4 does not survive when it gets the bytes as they are.
class HostileTerminal : public ::testing::TestWithParam<std::string> {};

TEST_P(HostileTerminal, DoesNoHarm) {
  Screen screen({40, 12});
  const auto feed = [&] {
    screen.feed(GetParam());
    const auto cursor = screen.cursor();
    EXPECT_TRUE(cursor.row >= 0 && cursor.row < static_cast<int>(screen.size().rows));
    EXPECT_TRUE(cursor.column >= 0 && cursor.column < static_cast<int>(screen.size().columns));
  };
  feed();
  screen.resize(kSmall);
  feed();
  screen.resize({500, 200});
  feed();
  EXPECT_LE(screen.memory(), Screen::kScrollbackBytes + 1'000'000);
  screen.feed(
      "\x1b\\\x1b"
      "cstill here");
  EXPECT_EQ(shown(screen), "still here\n");
  EXPECT_TRUE(is_valid_utf8(screen.text_with_scrollback()));
}

std::string times(int count, std::string_view what) {
  std::string out;
  for (int i = 0; i < count; ++i) out += what;
  return out;
}

INSTANTIATE_TEST_SUITE_P(Screen, HostileTerminal,
                         ::testing::Values("\x1b[" + times(5'000, "1094795585;") + "m",  // past the parameters' array
                                           "\x1b[5b", "\x1b[99999b",
                                           "e\xCC\x81\x1b[99999b",                   // REP of nothing and of a mark
                                           times(500, "\xC2\x80") + "\x1bHx\x1b[g",  // C1: a cursor left of the screen
                                           "\x1b[12;40H\x1b"
                                           "7\x1b[10;12r",  // saved, and margins, beyond the new size
                                           "\x1b"
                                           "8\x1b#8\x1b#3\x1b#6x\x1bM\x1b[?6h\x1bM\x1b[5L\x1b[5M\x1b[5S\x1b[5T",
                                           "\x1b[?69h\x1b[5;6s\x1b[?6h\x1b[99@\x1b[99P\x1b['}\x1b['~",  // side margins
                                           "a" + times(20'000, "\xCC\x81"),  // a mountain of marks
                                           "\x1b]" + times(50'000, "0;"),
                                           "\x1bP$q" + times(1'000, "m"),  // endless strings
                                           "\x1b[2147483647A\x1b[2147483648B\x1b[4294967296C\x1b[-1D\x1b[2147483647X",
                                           "\x1b[?1049h\x1b[?1048h\x1b[?47h\x1b[?1047l\x1b[?1049l\x1b[?1048l",
                                           times(300, "\x1b[1;1H\x1bM\x1b[200;500H\n"),
                                           "\x1bN\x8e\x8f\x1bO\x0e\x0f~" + times(10, "\xff\xfe")));

}  // namespace
}  // namespace berth::slotd
