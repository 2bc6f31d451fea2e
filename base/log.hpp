// SPDX-License-Identifier: Apache-2.0
// Structured logs to stderr: one record a line whatever the fields hold (newlines and control characters are escaped).
// Thread-safe. spdlog stays inside log.cpp.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace berth {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { text, json };

struct LogField {
  std::string_view key;
  std::string value;
};

// Process-wide, called once by main before threads start. Default: info, text.
void configure_log(LogLevel level, LogFormat format);
// For callers whose fields are costly to make.
[[nodiscard]] bool log_enabled(LogLevel level);
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace berth
