// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/keys.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/utf8.hpp"

namespace berth::slotd {
namespace {

constexpr unsigned kShift = 1;
constexpr unsigned kMeta = 2;
constexpr unsigned kControl = 4;

enum class Kind : std::uint8_t {
  plain,     // code is the byte
  cursor,    // ESC [ code, in application mode ESC O code
  function,  // ESC O code
  editing,   // ESC [ code ~
  keypad,    // code as it is, in application mode ESC O and a letter
  back_tab
};

struct Key {
  std::string_view name;
  Kind kind;
  int code;
  char keypad_letter = 0;
};

constexpr std::array kKeys = {
    Key{"Enter", Kind::plain, '\r'},    Key{"Escape", Kind::plain, 0x1b},
    Key{"Tab", Kind::plain, '\t'},      Key{"BTab", Kind::back_tab, 'Z'},
    Key{"BSpace", Kind::plain, 0x7f},   Key{"Space", Kind::plain, ' '},
    Key{"Up", Kind::cursor, 'A'},       Key{"Down", Kind::cursor, 'B'},
    Key{"Right", Kind::cursor, 'C'},    Key{"Left", Kind::cursor, 'D'},
    Key{"Home", Kind::cursor, 'H'},     Key{"End", Kind::cursor, 'F'},
    Key{"IC", Kind::editing, 2},        Key{"Insert", Kind::editing, 2},
    Key{"DC", Kind::editing, 3},        Key{"Delete", Kind::editing, 3},
    Key{"PPage", Kind::editing, 5},     Key{"PageUp", Kind::editing, 5},
    Key{"PgUp", Kind::editing, 5},      Key{"NPage", Kind::editing, 6},
    Key{"PageDown", Kind::editing, 6},  Key{"PgDn", Kind::editing, 6},
    Key{"F1", Kind::function, 'P'},     Key{"F2", Kind::function, 'Q'},
    Key{"F3", Kind::function, 'R'},     Key{"F4", Kind::function, 'S'},
    Key{"F5", Kind::editing, 15},       Key{"F6", Kind::editing, 17},
    Key{"F7", Kind::editing, 18},       Key{"F8", Kind::editing, 19},
    Key{"F9", Kind::editing, 20},       Key{"F10", Kind::editing, 21},
    Key{"F11", Kind::editing, 23},      Key{"F12", Kind::editing, 24},
    Key{"KP0", Kind::keypad, '0', 'p'}, Key{"KP1", Kind::keypad, '1', 'q'},
    Key{"KP2", Kind::keypad, '2', 'r'}, Key{"KP3", Kind::keypad, '3', 's'},
    Key{"KP4", Kind::keypad, '4', 't'}, Key{"KP5", Kind::keypad, '5', 'u'},
    Key{"KP6", Kind::keypad, '6', 'v'}, Key{"KP7", Kind::keypad, '7', 'w'},
    Key{"KP8", Kind::keypad, '8', 'x'}, Key{"KP9", Kind::keypad, '9', 'y'},
    Key{"KP+", Kind::keypad, '+', 'k'}, Key{"KP-", Kind::keypad, '-', 'm'},
    Key{"KP*", Kind::keypad, '*', 'j'}, Key{"KP/", Kind::keypad, '/', 'o'},
    Key{"KP.", Kind::keypad, '.', 'n'}, Key{"KPEnter", Kind::keypad, '\r', 'M'},
};

// Takes the prefixes off `name`; the modifiers they stand for.
unsigned take_prefixes(std::string_view& name) {
  unsigned modifiers = 0;
  while (true) {
    if (name.size() > 1 && name[0] == '^') {
      modifiers |= kControl;
      name.remove_prefix(1);
    } else if (name.size() > 2 && name[1] == '-' && (name[0] == 'C' || name[0] == 'M' || name[0] == 'S')) {
      modifiers |= name[0] == 'C' ? kControl : name[0] == 'M' ? kMeta : kShift;
      name.remove_prefix(2);
    } else {
      return modifiers;
    }
  }
}

std::string with_modifiers(std::string_view code, unsigned modifiers, char final) {
  return "\x1b[" + std::string(code) + ";" + std::to_string(modifiers + 1) + final;
}

// Control and a character: what the ASCII table and xterm make of it.
std::optional<char> control_of(char character) {
  if (character >= 'a' && character <= 'z') return static_cast<char>(character - 'a' + 1);
  if (character >= '@' && character <= '_') return static_cast<char>(character - '@');
  if (character >= '3' && character <= '7') return static_cast<char>(character - '3' + 0x1b);
  switch (character) {
    case ' ':
    case '2': return '\0';
    case '/': return '\x1f';
    case '8':
    case '?': return '\x7f';
    default: return std::nullopt;
  }
}

std::optional<std::string> encode_character(std::string_view text, unsigned modifiers) {
  const auto step = utf8_step(text, 0);
  if (modifiers == 0 || !step.valid || step.length != text.size()) return std::nullopt;
  std::string bytes(text);
  if ((modifiers & kShift) != 0) {
    const bool letter = bytes[0] >= 'a' && bytes[0] <= 'z';
    if (letter) bytes[0] = static_cast<char>(bytes[0] - 'a' + 'A');
    if (!letter && (modifiers & (kControl | kMeta)) == 0) return std::nullopt;
  }
  if ((modifiers & kControl) != 0) {
    const auto control = control_of(bytes[0]);
    if (!control) return std::nullopt;
    bytes = *control;
  }
  return (modifiers & kMeta) != 0 ? "\x1b" + bytes : bytes;
}

std::string encode_plain(char code, unsigned modifiers) {
  if (code == '\t' && (modifiers & kShift) != 0) return "\x1b[Z";
  std::string bytes(1, code);
  if ((modifiers & kControl) != 0 && code == ' ') bytes[0] = '\0';
  if ((modifiers & kControl) != 0 && code == '\x7f') bytes[0] = '\b';
  return (modifiers & kMeta) != 0 ? "\x1b" + bytes : bytes;
}

std::string encode_named(const Key& key, unsigned modifiers, KeyModes modes) {
  const auto code = static_cast<char>(key.code);
  switch (key.kind) {
    case Kind::plain: return encode_plain(code, modifiers);
    case Kind::back_tab: return "\x1b[Z";
    case Kind::editing:
      if (modifiers != 0) return with_modifiers(std::to_string(key.code), modifiers, '~');
      return "\x1b[" + std::to_string(key.code) + "~";
    case Kind::cursor:
      if (modifiers != 0) return with_modifiers("1", modifiers, code);
      return std::string(modes.application_cursor ? "\x1bO" : "\x1b[") + code;
    case Kind::function:
      if (modifiers != 0) return with_modifiers("1", modifiers, code);
      return std::string("\x1bO") + code;
    case Kind::keypad:
      if (modes.application_keypad) return std::string("\x1bO") + key.keypad_letter;
      return encode_plain(code, modifiers);
  }
  return {};
}

}  // namespace

std::optional<std::string> encode_key(std::string_view name, KeyModes modes) {
  if (name.empty()) return std::nullopt;
  auto rest = name;
  const auto modifiers = take_prefixes(rest);
  const auto* key = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& each) { return each.name == rest; });
  return key == kKeys.end() ? encode_character(rest, modifiers) : encode_named(*key, modifiers, modes);
}

}  // namespace berth::slotd
