// SPDX-License-Identifier: Apache-2.0
#include "agent/executor/tool_server.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

namespace berth::agent {
namespace {

constexpr std::size_t kMostToken = 8192;

// What can stand in a header field.
bool is_token(std::string_view text) {
  for (const char letter : text)
    if (letter <= ' ' || letter > '~') return false;
  return !text.empty();
}

}  // namespace

Expected<std::optional<ToolServer>> read_tool_server(const std::string& url, const std::string& token_file) {
  if (url.empty()) return std::optional<ToolServer>();
  const auto scheme = url.find("://");
  const auto path = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  const auto address = http::parse_address(url.substr(0, path));
  if (!address)
    return fail("tool_server", "tool_server.url: " + address.error().message,
                "write http://HOST:PORT; this version speaks no TLS to it, a proxy beside it can");
  ToolServer server{*address, path == std::string::npos ? "" : url.substr(path), {}};
  while (server.target.ends_with('/')) server.target.pop_back();
  server.target += "/execute";
  if (token_file.empty()) return std::optional(std::move(server));
  const auto text = read_file(token_file, kMostToken);
  if (!text) return fail("tool_server", "tool_server.token_file: " + text.error().message);
  server.token = std::string(trim(*text));
  if (!is_token(server.token))
    return fail("tool_server", "tool_server.token_file: " + token_file + " holds no token",
                "it is one word of printable ASCII");
  return std::optional(std::move(server));
}

}  // namespace berth::agent
