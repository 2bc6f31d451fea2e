// SPDX-License-Identifier: Apache-2.0
// The gate: what it lets through is exactly one request, told again without loss, however its bytes arrived.
#include <algorithm>
#include <optional>
#include <string>

#include "base/http/gate.hpp"
#include "base/http/syntax.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;
using berth::http::HeadScan;
using berth::http::RequestHead;

namespace {

constexpr std::size_t kMaxHead = std::size_t{16} << 10;

// The end of the head when `step` bytes arrive at a time; 0 when it is refused or not there.
std::size_t end_of_head(std::string_view text, std::size_t step) {
  HeadScan scan;
  for (std::size_t seen = std::min(step, text.size());; seen = std::min(seen + step, text.size())) {
    const auto end = scan.find_end(text.substr(0, seen), kMaxHead);
    if (!end) return 0;
    if (*end) return **end;
    if (seen == text.size()) return 0;
  }
}

std::string tell_again(const RequestHead& head) {
  std::string text = head.method + " " + head.path;
  if (!head.query.empty()) text += "?" + head.query;
  text += head.modern ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
  for (const auto& [name, value] : head.fields) text.append(name).append(": ").append(value).append("\r\n");
  return text + "\r\n";
}

bool same(const RequestHead& a, const RequestHead& b) {
  return a.method == b.method && a.path == b.path && a.query == b.query && a.fields == b.fields &&
         a.keep_alive == b.keep_alive && a.content_length == b.content_length && a.chunked == b.chunked &&
         a.modern == b.modern;
}

std::ptrdiff_t count_of(const RequestHead& head, std::string_view name) {
  return std::count_if(head.fields.begin(), head.fields.end(), [&](const auto& field) { return field.first == name; });
}

void is_one_request(std::string_view raw, const RequestHead& head) {
  promise(raw.find("\r\n\r\n") == raw.size() - 4, "the head ends once");
  const std::ptrdiff_t lines = std::count(raw.begin(), raw.end(), '\n');
  promise(lines == std::count(raw.begin(), raw.end(), '\r'), "each line ends in CRLF");
  promise(lines == static_cast<std::ptrdiff_t>(head.fields.size()) + 2, "each line is one field");
  promise(count_of(head, "host") == 1, "one host is asked");
  promise(count_of(head, "content-length") + count_of(head, "transfer-encoding") <= 1, "the body ends at one place");
  promise(head.content_length.has_value() == (count_of(head, "content-length") == 1), "a length is never overlooked");
  promise(head.chunked == (count_of(head, "transfer-encoding") == 1), "a coding is never overlooked");
  // Blanks around values may have been trimmed, and a lone '?' carries no query.
  const auto again = berth::http::check_request_head(tell_again(head));
  promise(again.has_value() || raw.size() + head.fields.size() > kMaxHead, "what was accepted is accepted again");
  promise(!again || same(head, *again), "told again it is the same request");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  if (size == 0) return 0;
  const std::size_t end = end_of_head(text, size);
  promise(end == end_of_head(text, 1), "the end of a head does not depend on how it arrives");
  const std::string_view raw = text.substr(0, end);
  if (const auto head = berth::http::check_request_head(raw)) is_one_request(raw, *head);
  return 0;
}
