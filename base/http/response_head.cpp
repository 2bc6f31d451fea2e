// SPDX-License-Identifier: Apache-2.0
#include "base/http/response_head.hpp"

#include "base/http/answer.hpp"
#include "base/http/syntax.hpp"

namespace berth::http {
namespace {

tl::unexpected<Error> bad_answer(std::string message) {
  return fail("protocol", std::move(message));
}

struct StatusLine {
  int status = 0;
  bool modern = true;
};

// "HTTP/1.x SP 3DIGIT [SP reason]"
Expected<StatusLine> parse_status_line(std::string_view line) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool modern = line.starts_with("HTTP/1.1 ");
  if (!modern && !line.starts_with("HTTP/1.0 ")) return bad_answer("the answer is not HTTP/1");
  const std::string_view code = line.substr(9, 3);
  if (code.size() != 3 || !digit(code[0]) || !digit(code[1]) || !digit(code[2])) return bad_answer("malformed status");
  if (line.size() > 12 && line[12] != ' ') return bad_answer("malformed status");
  const int status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (status < 100 || status > 599) return bad_answer("status out of range");
  return StatusLine{status, modern};
}

struct ResponseFraming {
  std::optional<std::uint64_t> length;
  bool chunked = false;
  bool close = false;
  bool keep_alive = false;
};

Expected<void> note_field(const Field& field, ResponseFraming& framing) {
  const auto& [name, value] = field;
  if (name == "content-length") {
    if (framing.length) return bad_answer("more than one Content-Length field");
    framing.length = parse_length(value);
    if (!framing.length) return bad_answer("malformed Content-Length field");
  } else if (name == "transfer-encoding") {
    if (framing.chunked || !equals_ignoring_case(value, "chunked"))
      return bad_answer("Transfer-Encoding other than chunked");
    framing.chunked = true;
  } else if (name == "connection") {
    framing.close = framing.close || lists_word(value, "close");
    framing.keep_alive = framing.keep_alive || lists_word(value, "keep-alive");
  }
  return {};
}

Body body_of(int status, bool head_request, const ResponseFraming& framing) {
  if (head_request || !may_have_body(status)) return Body::none();
  if (framing.chunked) return Body::chunked();
  return framing.length ? Body::sized(*framing.length) : Body::until_close();
}

}  // namespace

Expected<ParsedResponse> parse_response_head(std::string_view text, bool head_request) {
  const Expected<StatusLine> line = parse_status_line(take_line(text));
  if (!line) return tl::unexpected(line.error());
  ParsedResponse parsed;
  parsed.head.status = line->status;
  ResponseFraming framing;
  while (text.size() > 2) {
    if (parsed.head.fields.size() == kMaxResponseFields) return bad_answer("too many header fields");
    Expected<Field> field = parse_field_line(take_line(text));
    if (!field) return bad_answer(field.error().message);
    if (Expected<void> noted = note_field(*field, framing); !noted) return tl::unexpected(noted.error());
    parsed.head.fields.push_back(std::move(*field));
  }
  if (framing.chunked && framing.length) return bad_answer("both Transfer-Encoding and Content-Length");
  if (framing.chunked && !line->modern) return bad_answer("Transfer-Encoding in HTTP/1.0");

  parsed.body = body_of(line->status, head_request, framing);
  parsed.length = framing.length;
  const bool delimited = parsed.body.done() || framing.chunked || framing.length;
  parsed.keep_alive = delimited && !framing.close && (line->modern || framing.keep_alive);
  return parsed;
}

}  // namespace berth::http
