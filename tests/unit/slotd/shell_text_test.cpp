// SPDX-License-Identifier: Apache-2.0
#include "slotd/session/shell_text.hpp"

#include <gtest/gtest.h>

namespace berth::slotd {
namespace {

TEST(Report, IsASecretAndAStatus) {
  const auto report = parse_report("00ff 130");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->secret, "00ff");
  EXPECT_EQ(report->status, 130);
}

TEST(Report, IsNothingElse) {
  for (const char* line : {"", " ", "secret", "secret ", " 0", "secret -1", "secret 256", "secret 1x", "secret  1",
                           "secret 99999999999", "secret 1 "}) {
    EXPECT_FALSE(parse_report(line)) << line;
  }
}

TEST(CommandText, QuotesTheCommandAsOneWord) {
  const auto text = command_text({"echo 'a'\n# it's", {}}, 0);
  EXPECT_EQ(text, "\\exec 8<&-; \\eval 'echo '\\''a'\\''\n# it'\\''s' 2>&6 6>&-\n");
}

TEST(CommandText, ExportsVariablesAndRestoresTheStatus) {
  const auto text = command_text({"true", {{"A", "x y"}, {"_b2", "'"}}}, 3);
  EXPECT_EQ(text, "\\exec 8<&-; \\export A='x y'; \\export _b2=''\\'''; (exit 3) || \\eval 'true' 2>&6 6>&-\n");
}

TEST(VariableNames, AreThoseOfAShell) {
  EXPECT_TRUE(are_variable_names({{"A", ""}, {"_", ""}, {"a1_B", ""}}));
  for (const char* name : {"", "1a", "a-b", "a b", "a;b", "\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(are_variable_names({{name, ""}})) << name;
  }
}

TEST(WaitingLine, FitsIntoWhatATerminalTakesAsOneLine) {
  constexpr std::size_t kLongestLine = 1023;  // busybox's editor; the kernel's own limit is 4,095
  const auto line = waiting_line(std::string(16, 'f'), true);
  EXPECT_LE(line.size(), kLongestLine);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  // Keys that a line editor would act on.
  for (const char c : line) EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f)) << static_cast<int>(c);
}

TEST(CarriageReturns, ComeBeforeEachLineFeed) {
  EXPECT_EQ(with_carriage_returns("a\n\nb\r\n"), "a\r\n\r\nb\r\r\n");
  EXPECT_EQ(with_carriage_returns(""), "");
}

}  // namespace
}  // namespace berth::slotd
