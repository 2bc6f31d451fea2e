// SPDX-License-Identifier: Apache-2.0
#include "base/http/gate.hpp"

#include <algorithm>

#include "base/http/syntax.hpp"

namespace berth::http {
namespace {

tl::unexpected<Error> refuse(std::string message) {
  return fail("bad_request", std::move(message));
}

bool is_version_number(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && digit(text[5]) && text[6] == '.' && digit(text[7]);
}

// "METHOD SP target SP HTTP/1.x" into `head`; true for HTTP/1.1.
Expected<bool> parse_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse("request line is not METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return refuse("method is not a token");
  if (!target.starts_with('/')) return refuse("target is not in origin form");
  if (!is_target(target)) return refuse("character in the target that must be percent-encoded");
  if (!is_version_number(version)) return refuse("malformed HTTP version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return fail("version", "unsupported HTTP version");

  const std::size_t mark = target.find('?');
  head.method = method;
  head.path = target.substr(0, mark);
  if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
  return version == "HTTP/1.1";
}

// A host name, IPv4 or bracketed IPv6 address with an optional port (RFC 9110 7.2), never empty.
bool is_host(std::string_view value) {
  constexpr std::string_view kAllowed = "-._~!$&'()*+;=:[]%";
  const auto allowed = [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kAllowed.find(c) != std::string_view::npos;
  };
  return !value.empty() && std::all_of(value.begin(), value.end(), allowed);
}

// The fields that decide who is asked, where the body ends and what becomes of the connection: each at most once.
struct Framing {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t codings = 0;
  bool close = false;
  bool keep_alive = false;
};

Expected<void> note_field(const Field& field, RequestHead& head, Framing& framing) {
  const auto& [name, value] = field;
  if (name == "host") {
    if (++framing.hosts > 1) return refuse("more than one Host field");
    if (!is_host(value)) return refuse("malformed Host field");
  } else if (name == "content-length") {
    if (++framing.lengths > 1) return refuse("more than one Content-Length field");
    head.content_length = parse_length(value);
    if (!head.content_length) return refuse("malformed Content-Length field");
  } else if (name == "transfer-encoding") {
    if (++framing.codings > 1) return refuse("more than one Transfer-Encoding field");
    if (value != "chunked") return refuse("Transfer-Encoding other than chunked");
    head.chunked = true;
  } else if (name == "connection") {
    framing.close = framing.close || lists_word(value, "close");
    framing.keep_alive = framing.keep_alive || lists_word(value, "keep-alive");
  } else if (name == "expect" && !equals_ignoring_case(value, "100-continue")) {
    return fail("expectation", "Expect other than 100-continue");
  }
  return {};
}

Expected<void> parse_fields(std::string_view lines, std::size_t max_fields, RequestHead& head, Framing& framing) {
  while (!lines.empty()) {
    if (head.fields.size() == max_fields) {
      return fail("too_large", "more than " + std::to_string(max_fields) + " header fields");
    }
    Expected<Field> field = parse_field_line(take_line(lines));
    if (!field) return tl::unexpected(field.error());
    if (Expected<void> noted = note_field(*field, head, framing); !noted) return noted;
    head.fields.push_back(std::move(*field));
  }
  return {};
}

}  // namespace

Expected<RequestHead> check_request_head(std::string_view head, const HeadLimits& limits) {
  HeadScan scan;
  const Expected<std::optional<std::size_t>> end = scan.find_end(head, limits.max_bytes);
  if (!end) return tl::unexpected(end.error());
  if (*end != head.size()) return refuse("the head does not end with its first empty line");
  head.remove_suffix(2);

  RequestHead result;
  const Expected<bool> modern = parse_request_line(take_line(head), result);
  if (!modern) return tl::unexpected(modern.error());
  Framing framing;
  result.fields.reserve(8);
  if (Expected<void> fields = parse_fields(head, limits.max_fields, result, framing); !fields) {
    return tl::unexpected(fields.error());
  }
  if (framing.hosts == 0) return refuse("no Host field");
  if (result.chunked && result.content_length) return refuse("both Transfer-Encoding and Content-Length");
  if (result.chunked && !*modern) return refuse("Transfer-Encoding in HTTP/1.0");
  result.keep_alive = !framing.close && (*modern || framing.keep_alive);
  result.modern = *modern;
  return result;
}

int gate_status(const Error& error) {
  if (error.code == "too_large") return 431;
  if (error.code == "version") return 505;
  if (error.code == "expectation") return 417;
  if (error.code == "body_too_large") return 413;
  if (error.code == "too_slow") return 408;
  if (error.code == "busy") return 429;
  return 400;
}

}  // namespace berth::http
