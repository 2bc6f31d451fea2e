// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "slotd/terminal/keys.hpp"

namespace berth::slotd {
namespace {

using namespace std::string_literals;

std::string key(std::string_view name, KeyModes modes = {}) {
  return encode_key(name, modes).value_or("(none)");
}

TEST(Keys, EveryNameIsKnown) {
  const std::pair<const char*, const char*> names[] = {
      {"Enter", "\r"},       {"Escape", "\x1b"},    {"Tab", "\t"},
      {"BTab", "\x1b[Z"},    {"BSpace", "\x7f"},    {"Space", " "},
      {"Up", "\x1b[A"},      {"Down", "\x1b[B"},    {"Right", "\x1b[C"},
      {"Left", "\x1b[D"},    {"Home", "\x1b[H"},    {"End", "\x1b[F"},
      {"IC", "\x1b[2~"},     {"Insert", "\x1b[2~"}, {"DC", "\x1b[3~"},
      {"Delete", "\x1b[3~"}, {"PPage", "\x1b[5~"},  {"PageUp", "\x1b[5~"},
      {"PgUp", "\x1b[5~"},   {"NPage", "\x1b[6~"},  {"PageDown", "\x1b[6~"},
      {"PgDn", "\x1b[6~"},   {"F1", "\x1bOP"},      {"F4", "\x1bOS"},
      {"F5", "\x1b[15~"},    {"F6", "\x1b[17~"},    {"F10", "\x1b[21~"},
      {"F11", "\x1b[23~"},   {"F12", "\x1b[24~"},   {"KP0", "0"},
      {"KP9", "9"},          {"KPEnter", "\r"},     {"KP+", "+"},
      {"KP-", "-"},          {"KP*", "*"},          {"KP/", "/"},
      {"KP.", "."}};
  for (const auto& [name, bytes] : names) EXPECT_EQ(key(name), bytes) << name;
}

TEST(Keys, ControlMakesTheAsciiControlCharacter) {
  EXPECT_EQ(key("C-c"), "\x03");
  EXPECT_EQ(key("C-C"), "\x03");
  EXPECT_EQ(key("^C"), "\x03");
  EXPECT_EQ(key("^["), "\x1b");
  EXPECT_EQ(key("C-Space"), "\0"s);
  EXPECT_EQ(key("C-@"), "\0"s);
  EXPECT_EQ(key("C-?"), "\x7f");
  EXPECT_EQ(key("^^"), "\x1e");
  EXPECT_EQ(key("C--"), "(none)");
}

TEST(Keys, MetaPutsEscapeBefore) {
  EXPECT_EQ(key("M-x"), "\x1bx");
  EXPECT_EQ(key("M-\xC3\xA9"), "\x1b\xC3\xA9");
  EXPECT_EQ(key("M-Enter"), "\x1b\r");
  EXPECT_EQ(key("C-M-x"), "\x1b\x18");
  EXPECT_EQ(key("M-C-x"), "\x1b\x18");
}

TEST(Keys, ShiftAndOtherModifiersOfNamedKeys) {
  EXPECT_EQ(key("S-Tab"), "\x1b[Z");
  EXPECT_EQ(key("S-Up"), "\x1b[1;2A");
  EXPECT_EQ(key("C-Left"), "\x1b[1;5D");
  EXPECT_EQ(key("M-S-F5"), "\x1b[15;4~");
  EXPECT_EQ(key("C-S-M-Delete"), "\x1b[3;8~");
  EXPECT_EQ(key("S-a"), "A");
}

TEST(Keys, ApplicationModesChangeCursorAndKeypad) {
  EXPECT_EQ(key("Up", {true, false}), "\x1bOA");
  EXPECT_EQ(key("C-Up", {true, false}), "\x1b[1;5A");
  EXPECT_EQ(key("KP5", {false, true}), "\x1bOu");
  EXPECT_EQ(key("KPEnter", {false, true}), "\x1bOM");
}

TEST(Keys, EverythingElseIsNoKey) {
  for (const char* text : {"", "x", "-l", ";", "enter", "ENTER", "F13", "KP", "C-", "M-", "^", "C-xy", "S-;", "echo x",
                           "Enter ", "C-\xC3\xA9", "S-1", "M-\xC3"})
    EXPECT_EQ(key(text), "(none)") << text;
}

}  // namespace
}  // namespace berth::slotd
