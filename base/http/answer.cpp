// SPDX-License-Identifier: Apache-2.0
#include "base/http/answer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/http/syntax.hpp"

namespace berth::http {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 32> kReasons{{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char c : value) out.push_back(is_field_value({&c, 1}) ? c : ' ');
  out.append("\r\n");
}

bool is_framing(std::string_view name) {
  constexpr std::array<std::string_view, 3> kOurs{"connection", "content-length", "transfer-encoding"};
  return std::any_of(kOurs.begin(), kOurs.end(),
                     [&](std::string_view ours) { return equals_ignoring_case(name, ours); });
}

}  // namespace

std::string_view reason_phrase(int status) {
  const auto* const found =
      std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& r) { return r.first == status; });
  return found == kReasons.end() ? "Status" : found->second;
}

std::string_view DateText::at(std::time_t now) {
  if (now == second_) return text_;
  second_ = now;
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  text_.assign(text.data(), size);
  return text_;
}

bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

void append_answer_head(std::string& out, const Response& response, const AnswerFraming& framing,
                        std::string_view date) {
  out.append("HTTP/1.1 ")
      .append(std::to_string(response.status))
      .append(" ")
      .append(reason_phrase(response.status))
      .append("\r\n");
  append_field(out, "Date", date);
  if (may_have_body(response.status)) {
    append_field(out, "Content-Type", response.content_type);
    if (framing.chunked) append_field(out, "Transfer-Encoding", "chunked");
    if (!framing.chunked && framing.length) append_field(out, "Content-Length", std::to_string(*framing.length));
  }
  if (!framing.keep_alive) append_field(out, "Connection", "close");
  if (framing.keep_alive && !framing.modern) append_field(out, "Connection", "keep-alive");
  for (const auto& [name, value] : response.fields) {
    if (is_token(name) && !is_framing(name)) append_field(out, name, value);
  }
  out.append("\r\n");
}

Response error_answer(int status, std::string_view message) {
  Response response;
  response.status = status;
  response.body = R"({"success": false, "error": ")";
  for (const char c : message) {
    if (c == '"' || c == '\\') response.body.push_back('\\');
    response.body.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  response.body += "\"}";
  response.close = true;
  return response;
}

}  // namespace berth::http
