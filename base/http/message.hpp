// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 messages as the rest of Berth sees them: no Beast here, so that routes compile quickly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::http {

// The head of a request that passed the gate: origin-form target, one Host, at most one Content-Length or a plain
// "chunked".
struct RequestHead {
  std::string method;  // upper case as received, e.g. "GET"
  std::string path;    // still percent-encoded, starts with '/', without the query
  std::string query;   // still percent-encoded, without '?'
  std::vector<std::pair<std::string, std::string>>
      fields;  // names lower-cased, values trimmed; order kept; no trailer ever lands here
  bool keep_alive = true;
  std::optional<std::uint64_t> content_length;  // absent with chunked bodies and with none
  bool chunked = false;
  bool modern = true;  // HTTP/1.1; false for HTTP/1.0

  // First value of a field (name in lower case); nothing when absent.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
  // Decoded value of a query parameter; nothing when absent or badly encoded.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
};

inline constexpr std::string_view kJsonType = "application/json; charset=utf-8";
inline constexpr std::string_view kNdjsonType = "application/x-ndjson; charset=utf-8";
inline constexpr std::string_view kTextType = "text/plain; charset=utf-8";
inline constexpr std::string_view kBytesType = "application/octet-stream";

struct Response {
  int status = 200;
  std::string content_type{kJsonType};
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // extra header fields
  bool close = false;                                       // end the connection after this answer
};

}  // namespace berth::http
