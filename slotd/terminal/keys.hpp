// SPDX-License-Identifier: Apache-2.0
// Names of keys, as terminal multiplexers know them, and the bytes that xterm sends for them. Pure functions.
//
// A name is Enter, Escape, Tab, BTab, BSpace, Space, Up, Down, Left, Right, Home, End, IC or Insert, DC or Delete,
// PPage or PageUp or PgUp, NPage or PageDown or PgDn, F1 .. F12, KP0 .. KP9, KPEnter, KP+, KP-, KP*, KP/, KP. or,
// behind a prefix, one character. Prefixes: C- or ^ (control), M- (meta), S- (shift), in any order. Names are exact:
// "enter" is five characters.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "slotd/terminal/screen.hpp"

namespace berth::slotd {

// Nothing: there is no key of that name.
[[nodiscard]] std::optional<std::string> encode_key(std::string_view name, KeyModes modes);

}  // namespace berth::slotd
