// SPDX-License-Identifier: Apache-2.0
#include "agent/executor/tool_server.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "base/tls/client_context.hpp"

namespace berth::agent {
namespace {

constexpr std::size_t kMostToken = 8192;

constexpr const char* kTrustRemedy =
    "start the agent with SSL_CERT_FILE set to the PEM file of the authority that signed it";

// The system's authorities judge it.
Expected<http::Address> read_address(const std::string& url) {
  if (!url.starts_with("https://")) return http::parse_address(url);
  const auto context = tls::ClientContext::read({}, kTrustRemedy);
  if (!context) return tl::unexpected(context.error());
  return http::parse_address(url, context->dial());
}

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
  const auto address = read_address(url.substr(0, path));
  if (!address)
    return fail("tool_server", "tool_server.url: " + address.error().message,
                "write http://HOST:PORT or https://HOST:PORT");
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
