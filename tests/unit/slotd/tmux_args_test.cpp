// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/tmux_args.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace berth::slotd {
namespace {

TmuxArgs read(const char* text) {
  const auto args = read_tmux_args(Json::parse(text));
  EXPECT_TRUE(args.has_value()) << text;
  return args.value_or(TmuxArgs{});
}

TEST(TmuxArgs, DefaultsAreThoseOfTheProtocol) {
  const auto args = read("{}");
  EXPECT_EQ(args.action, "capture");
  EXPECT_EQ(args.size, (TerminalSize{120, 40}));
  EXPECT_EQ(args.max_bytes, 50'000U);
  EXPECT_FALSE(args.keys || args.block || args.capture_entire || args.reset || args.literal || args.max_wait);
}

TEST(TmuxArgs, TheActionIsTrimmedAndLowered) {
  EXPECT_EQ(read(R"({"action": " Send_Keys\n"})").action, "send_keys");
}

TEST(TmuxArgs, SizesAreClamped) {
  EXPECT_EQ(read(R"({"pane_width": 1, "pane_height": -5})").size, kSmallestTerminal);
  EXPECT_EQ(read(R"({"pane_width": 65535, "pane_height": 1e300})").size, kLargestTerminal);
  EXPECT_EQ(read(R"({"pane_width": "99", "pane_height": 33.9})").size, (TerminalSize{99, 33}));
  EXPECT_EQ(read(R"({"max_bytes": 0})").max_bytes, 1U);
  EXPECT_EQ(read(R"({"max_bytes": 1e9})").max_bytes, 200'000U);
  EXPECT_EQ(read(R"({"max_bytes": null})").max_bytes, 50'000U);
}

TEST(TmuxArgs, WaitsKeepTheTextTheyCameIn) {
  const auto args = read(R"({"max_wait_s": 1.5, "min_wait_s": "0.25"})");
  EXPECT_EQ(args.max_wait, Seconds(1.5));
  EXPECT_EQ(args.max_wait_text, "1.5");
  EXPECT_EQ(args.min_wait, Seconds(0.25));
  EXPECT_EQ(read(R"({"max_wait_s": " 2 "})").max_wait_text, "2");
  EXPECT_EQ(read(R"({"max_wait_s": -3, "min_wait_s": -3})").min_wait, Seconds(0));
}

TEST(TmuxArgs, KeysAreAStringOrAListOfStrings) {
  EXPECT_EQ(read(R"({"keys": "ls"})").keys, std::vector<std::string>{"ls"});
  EXPECT_EQ(read(R"({"keys": ["ls", "Enter"]})").keys, (std::vector<std::string>{"ls", "Enter"}));
  EXPECT_TRUE(read(R"({"keys": []})").keys.has_value());
  for (const char* text : {R"({"keys": null})", R"({"keys": 1})", R"({"keys": ["a", 1]})", R"({"keys": {"a": 1}})"})
    EXPECT_FALSE(read(text).keys.has_value()) << text;
}

TEST(TmuxArgs, WhatDoesNotParseIsNamed) {
  const std::pair<const char*, const char*> wrong[] = {{R"({"max_wait_s": "soon"})", "max_wait_s must be a number"},
                                                       {R"({"min_wait_s": [1]})", "min_wait_s must be a number"},
                                                       {R"({"min_wait_s": "nan"})", "min_wait_s must be a number"},
                                                       {R"({"max_wait_s": "1e999"})", "max_wait_s must be a number"},
                                                       {R"({"max_wait_s": true})", "max_wait_s must be a number"},
                                                       {R"({"pane_width": "wide"})", "pane_width must be a number"},
                                                       {R"({"pane_height": ""})", "pane_height must be a number"},
                                                       {R"({"max_bytes": "all"})", "max_bytes must be a number"},
                                                       {R"({"block": "true"})", "block must be true or false"},
                                                       {R"({"reset": 1})", "reset must be true or false"},
                                                       {R"({"action": 5})", "action must be a string"}};
  for (const auto& [text, error] : wrong) {
    const auto args = read_tmux_args(Json::parse(text));
    ASSERT_FALSE(args.has_value()) << text;
    EXPECT_EQ(args.error(), error);
  }
}

}  // namespace
}  // namespace berth::slotd
