// SPDX-License-Identifier: Apache-2.0
// How text that others wrote stands in a log record: one line, and nothing that moves a terminal's cursor, changes its
// colours or turns its reading direction. Pure, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace berth {

// Escapes as \n, \t, \xNN and \u{N}; the backslash itself is doubled.
void append_log_text(std::string& out, std::string_view text);
// The same, in quotes where a reader could not tell the value's end otherwise.
void append_log_value(std::string& out, std::string_view value);
// A JSON string, with what append_log_text escapes as \uNNNN.
void append_log_json(std::string& out, std::string_view text);

}  // namespace berth
