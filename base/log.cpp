// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/log_text.hpp"

namespace berth {
namespace {

struct Logger {
  Logger() { format_as(LogFormat::text); }

  void format_as(LogFormat to) {
    format = to;
    // The fields carry their own escapes, so only the frame is spdlog's.
    spdlog.set_pattern(
        to == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})" : "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
        spdlog::pattern_time_type::utc);
  }

  LogFormat format = LogFormat::text;
  spdlog::logger spdlog{"berth", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
};

Logger& logger() {
  static Logger instance;
  return instance;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void configure_log(LogLevel level, LogFormat format) {
  logger().spdlog.set_level(level_of(level));
  logger().format_as(format);
}

bool log_enabled(LogLevel level) {
  return logger().spdlog.should_log(level_of(level));
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  Logger& to = logger();
  if (!to.spdlog.should_log(level_of(level))) return;
  std::string line;
  const bool json = to.format == LogFormat::json;
  if (json) line += R"("message":)";
  json ? append_log_json(line, message) : append_log_text(line, message);
  for (const LogField& field : fields) {
    line += json ? ',' : ' ';
    json ? append_log_json(line, field.key) : append_log_text(line, field.key);
    line += json ? ':' : '=';
    json ? append_log_json(line, field.value) : append_log_value(line, field.value);
  }
  to.spdlog.log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace berth
