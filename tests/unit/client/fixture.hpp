// SPDX-License-Identifier: Apache-2.0
// Clients with short limits, and what the tests ask of results.
#pragma once

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.hpp"
#include "berth/client.hpp"
#include "tests/support/raw_server.hpp"

namespace berth {

using testing::answer;
using testing::cut;
using testing::end_line;
using testing::hang;
using ::testing::HasSubstr;
using testing::ids_of;
using testing::lines;
using testing::RawReply;
using testing::RawRequest;
using testing::RawServer;
using testing::result_json;
using testing::result_line;
using ::testing::StartsWith;

// The longest that a test waits for what must happen; only a hang meets it.
inline constexpr Seconds kPatience{20};
inline constexpr const char* kNobody = "http://127.0.0.1:1";

inline ClientOptions quick() {
  ClientOptions options;
  options.retry_delay = Seconds(0.01);
  options.answer_margin = kPatience;
  options.request_timeout = kPatience;
  options.health_timeout = kPatience;
  options.connect_timeout = kPatience;
  return options;
}

inline std::string cause(const Result& result) {
  const auto found = cause_of(result);
  return found ? std::string(to_string(*found)) : "none";
}

// "false", "\"unknown\"" or "none": whether the command may have run.
inline std::string started(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  return metadata && metadata->contains("started") ? metadata->at("started").dump() : "none";
}

// Answers every call as a slot server would, with `output` as the output of each.
inline RawReply honest(const RawRequest& request, const std::string& output = "fine") {
  const auto ids = ids_of(request);
  if (request.target == "/execute") return answer(200, result_json(ids.at(0), output));
  std::string body;
  for (std::size_t i = 0; i < ids.size(); ++i) body += result_line(i, ids[i], output);
  return lines(body + end_line(ids.size()));
}

inline RawReply honest_script(const RawRequest& request, std::size_t) {
  return honest(request);
}

}  // namespace berth
