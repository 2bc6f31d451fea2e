// SPDX-License-Identifier: Apache-2.0
#include "slotd/session/prompt_filter.hpp"

#include <gtest/gtest.h>

namespace berth::slotd {
namespace {

struct Seen {
  std::string text;
  std::vector<Prompt> prompts;
};

Seen take_in_pieces(PromptFilter& filter, std::string_view bytes, std::size_t size) {
  Seen seen;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    for (const auto& piece : filter.take(bytes.substr(at, size))) {
      seen.text += piece.text;
      if (piece.prompt) seen.prompts.push_back(*piece.prompt);
    }
  }
  seen.text += filter.flush();
  return seen;
}

TEST(PromptFilter, TakesMarksOutHoweverTheStreamIsCut) {
  PromptFilter filter("0123abcd");
  const auto stream =
      "one\n" + filter.mark(Prompt::command) + "$ two" + filter.mark(Prompt::continuation) + "> \x1b[0m";
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    const auto seen = take_in_pieces(filter, stream, size);
    EXPECT_EQ(seen.text, "one\n$ two> \x1b[0m") << size;
    EXPECT_EQ(seen.prompts, (std::vector{Prompt::command, Prompt::continuation})) << size;
  }
}

TEST(PromptFilter, SaysWhereAPromptStands) {
  PromptFilter filter("s");
  const std::string bytes = "a" + filter.mark(Prompt::command) + "b";
  const auto& pieces = filter.take(bytes);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].text, "a");
  EXPECT_EQ(pieces[0].prompt, Prompt::command);
  EXPECT_EQ(pieces[1].text, "b");
  EXPECT_EQ(pieces[1].prompt, std::nullopt);
}

TEST(PromptFilter, PassesOnWhatOnlyResemblesAMark) {
  PromptFilter mine("aaaa");
  const PromptFilter other("bbbb");
  const std::string almost = mine.mark(Prompt::command).substr(0, mine.mark(Prompt::command).size() - 1);
  for (const std::string& text : {other.mark(Prompt::command), almost, almost + "x", std::string("\x1b\x1b]797"),
                                  almost + almost, std::string("\x1b]797;aaaa;3\x07")}) {
    const auto seen = take_in_pieces(mine, text, 1);
    EXPECT_EQ(seen.text, text);
    EXPECT_TRUE(seen.prompts.empty());
  }
}

TEST(PromptFilter, FindsAMarkThatFollowsABrokenOne) {
  PromptFilter filter("ab");
  const auto mark = filter.mark(Prompt::command);
  for (std::size_t cut = 1; cut < mark.size(); ++cut) {
    const auto seen = take_in_pieces(filter, mark.substr(0, cut) + mark, 1);
    EXPECT_EQ(seen.text, mark.substr(0, cut)) << cut;
    EXPECT_EQ(seen.prompts.size(), 1U) << cut;
  }
}

}  // namespace
}  // namespace berth::slotd
