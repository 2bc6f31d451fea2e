// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/json.hpp"

namespace berth {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

class LogTest : public ::testing::TestWithParam<LogFormat> {
 protected:
  void TearDown() override { configure_log(LogLevel::info, LogFormat::text); }

  static std::string logged(LogFormat format, std::string_view message, std::initializer_list<LogField> fields = {}) {
    configure_log(LogLevel::info, format);
    ::testing::internal::CaptureStderr();
    log(LogLevel::info, message, fields);
    return ::testing::internal::GetCapturedStderr();
  }
};

// Whatever could begin a second record, move the cursor, set a title, fill the clipboard or turn the reading direction.
const std::string kHostile = std::string(
                                 "a\nERROR fake=1\r\n\x1b[31m\x1b]52;c;eA==\x07\b\v\f\x7f\xc2\x9b"
                                 "31m\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xe2\x80\xa9\xff\xc3 \"q\" \\ ") +
                             std::string(1, '\0');

TEST_F(LogTest, TextNamesTimeLevelMessageAndFields) {
  EXPECT_THAT(logged(LogFormat::text, "slot ready", {{"slot", "slot_1"}, {"why", "a b"}, {"empty", ""}}),
              MatchesRegex("20[0-9-]+T[0-9:.]+Z info slot ready slot=slot_1 why=\"a b\" empty=\"\"\n"));
}

TEST_F(LogTest, JsonIsOneObjectALine) {
  const std::string line = logged(LogFormat::json, "slot ready", {{"slot", "a\"b\nc"}});
  const auto record = parse_json(line);
  ASSERT_TRUE(record) << line;
  EXPECT_EQ((*record)["message"], "slot ready");
  EXPECT_EQ((*record)["level"], "info");
  EXPECT_EQ((*record)["slot"], "a\"b\nc");
  EXPECT_THAT((*record)["time"].get<std::string>(), EndsWith("Z"));
}

TEST_P(LogTest, OneRecordStaysOneHarmlessLine) {
  const std::string line = logged(GetParam(), kHostile, {{"value", kHostile}, {"k\ney", "v"}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_THAT(line, EndsWith("\n"));
  for (const unsigned char byte : line.substr(0, line.size() - 1)) {
    EXPECT_GE(byte, 0x20) << line;
    EXPECT_NE(byte, 0x7F) << line;
  }
  for (const char* hidden : {"\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xff"}) {
    EXPECT_THAT(line, Not(HasSubstr(hidden)));
  }
}

TEST_P(LogTest, RecordsBelowTheLevelAreLeftOut) {
  configure_log(LogLevel::warning, GetParam());
  ::testing::internal::CaptureStderr();
  log(LogLevel::debug, "x");
  log(LogLevel::info, "x");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), IsEmpty());
  ::testing::internal::CaptureStderr();
  log(LogLevel::error, "x");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(IsEmpty()));
}

TEST_P(LogTest, LinesOfManyThreadsDoNotMix) {
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  configure_log(LogLevel::info, GetParam());
  ::testing::internal::CaptureStderr();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([] {
      for (int line = 0; line < kLines; ++line) log(LogLevel::info, std::string(200, 'm'), {{"end", "of line"}});
    });
  }
  for (auto& thread : threads) thread.join();
  const std::string all = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), kThreads * kLines);
  const auto first = all.find('\n') + 1;
  for (std::size_t at = 0; at < all.size(); at = all.find('\n', at) + 1) {
    EXPECT_EQ(all.find('\n', at) + 1 - at, first);
  }
}

TEST_F(LogTest, EscapesAreReadableInText) {
  EXPECT_THAT(logged(LogFormat::text, "m", {{"v", "a\nb\x1b\xe2\x80\xae\xff\\"}}),
              EndsWith(R"(v=a\nb\x1b\u{202e}\xff\\)"
                       "\n"));
}

TEST_F(LogTest, AstralControlsAreSurrogatePairsInJson) {
  EXPECT_THAT(logged(LogFormat::json, "m", {{"v", "\xF3\xA0\x80\x81"}}), HasSubstr(R"("\udb40\udc01")"));
}

INSTANTIATE_TEST_SUITE_P(Formats, LogTest, ::testing::Values(LogFormat::text, LogFormat::json),
                         [](const auto& format) { return format.param == LogFormat::text ? "text" : "json"; });

}  // namespace
}  // namespace berth
