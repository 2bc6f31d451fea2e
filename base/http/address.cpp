// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <limits>

#include "base/http/client.hpp"

namespace berth::http {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kMaxUnixPath = 107;

tl::unexpected<Error> refuse(std::string_view text, const char* why) {
  return fail("bad_address", "address \"" + std::string(text) + "\": " + why,
              "give unix:PATH, http://HOST:PORT or, where TLS is spoken, https://HOST:PORT");
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool is_host_text(std::string_view host) {
  constexpr std::string_view kAllowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._:%";
  return !host.empty() && host.find_first_not_of(kAllowed) == std::string_view::npos;
}

Expected<Address> parse_unix(std::string_view text, std::string_view path) {
  take_prefix(path, "//");
  if (path.empty()) return refuse(text, "no path");
  if (path.size() > kMaxUnixPath) return refuse(text, "the socket's path has more than 107 bytes");
  if (path.find('\0') != std::string_view::npos) return refuse(text, "NUL in the socket's path");
  return Address{std::string(path), {}, 0, {}};
}

}  // namespace

Expected<Address> parse_address(std::string_view text, const DialLayer& tls) {
  std::string_view rest = text;
  if (take_prefix(rest, "unix:")) return parse_unix(text, rest);
  const bool secure = take_prefix(rest, "https://");
  if (secure && !tls) return refuse(text, "no TLS is spoken from here");
  if (!secure && !take_prefix(rest, "http://") && !take_prefix(rest, "tcp://"))
    return refuse(text, "unknown kind of address");
  if (rest.ends_with('/')) rest.remove_suffix(1);

  Address address;
  address.port = secure ? kHttpsPort : kHttpPort;
  if (secure) address.layer = tls;
  std::string_view port;
  if (take_prefix(rest, "[")) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return refuse(text, "no closing bracket");
    address.host = rest.substr(0, end);
    port = rest.substr(end + 1);
  } else {
    const std::size_t colon = rest.find(':');
    address.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon);
  }
  if (!is_host_text(address.host)) return refuse(text, "malformed host");
  if (port.empty()) return address;
  const auto number = take_prefix(port, ":") ? parse_port(port) : std::nullopt;
  if (!number) return refuse(text, "malformed port");
  address.port = *number;
  return address;
}

}  // namespace berth::http
