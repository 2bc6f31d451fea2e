// SPDX-License-Identifier: Apache-2.0
// The bytes of an answer's head. Framing fields are decided here alone: whatever a handler put among its extra fields,
// an answer is delimited one way, and no value can start a new line.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"

namespace berth::http {

struct AnswerFraming {
  bool chunked = false;
  std::optional<std::uint64_t> length;  // neither: the body ends with the connection
  bool keep_alive = true;
  bool modern = true;  // the request was HTTP/1.1
};

// The Date field's value, formatted once a second.
class DateText {
 public:
  [[nodiscard]] std::string_view at(std::time_t now);

 private:
  std::time_t second_ = -1;
  std::string text_;
};

// "Not Found"; "Status" for numbers that nothing here uses.
[[nodiscard]] std::string_view reason_phrase(int status);
// 1xx, 204 and 304 never have a body.
[[nodiscard]] bool may_have_body(int status);
void append_answer_head(std::string& out, const Response& response, const AnswerFraming& framing,
                        std::string_view date);

// {"success": false, "error": message}: what the server itself answers.
[[nodiscard]] Response error_answer(int status, std::string_view message);

}  // namespace berth::http
