// SPDX-License-Identifier: Apache-2.0
#include "base/allow_list.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.hpp"

namespace berth {
namespace {

constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;
constexpr std::uint16_t kHttp = 80;
constexpr std::uint16_t kHttps = 443;

tl::unexpected<Error> bad_host(std::string why) {
  return fail("bad_host", std::move(why));
}

bool is_label(std::string_view label) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), fits);
}

bool is_name(std::string_view name) {
  if (name.size() > kLongestName) return false;
  while (true) {
    const auto dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// What many programs read as an IPv4 address: its last label is a number.
bool ends_in_number(std::string_view host) {
  const auto last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  if (std::all_of(last.begin(), last.end(), is_digit)) return true;
  const auto is_hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  return last.substr(0, 2) == "0x" && std::all_of(last.begin() + 2, last.end(), is_hex);
}

template <typename Bytes>
std::optional<std::string> one_spelling(int family, std::string_view text) {
  Bytes bytes{};
  std::array<char, INET6_ADDRSTRLEN> spelled{};
  if (::inet_pton(family, std::string(text).c_str(), &bytes) != 1) return std::nullopt;
  return ::inet_ntop(family, &bytes, spelled.data(), spelled.size());
}

Expected<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  const bool plain = !text.empty() && text.front() != '0' && error == std::errc() && stop == end;
  if (!plain) return bad_host("a port is a number from 1 to 65535");
  return port;
}

Expected<HostPort> parse_bracketed(std::string_view text) {
  const auto close = text.find(']');
  auto spelled =
      close == std::string_view::npos ? std::nullopt : one_spelling<in6_addr>(AF_INET6, text.substr(1, close - 1));
  if (!spelled) return bad_host("between brackets stands an IPv6 address");
  HostPort host{*std::move(spelled), true, {}};
  const auto rest = text.substr(close + 1);
  if (rest.empty()) return host;
  if (rest.front() != ':') return bad_host("after the brackets comes a colon and a port, or nothing");
  const auto port = parse_port(rest.substr(1));
  if (!port) return tl::unexpected(port.error());
  host.port = *port;
  return host;
}

bool port_fits(const AllowPattern& pattern, std::uint16_t port) {
  if (pattern.host.port) return *pattern.host.port == port;
  return port == kHttp || port == kHttps;
}

// The mistakes that people make, in their own words.
std::string_view likely_mistake(std::string_view text) {
  if (text == "*") return "a lone * allows everything: that is `network: full`";
  if (text.find("://") != std::string_view::npos) return "write HOST or HOST:PORT, without a scheme";
  if (text.find('/') != std::string_view::npos) return "write HOST or HOST:PORT; paths and ranges are not told apart";
  if (text.rfind('*') != std::string_view::npos && text.rfind('*') > 0)
    return "a * stands for whole labels in front: *.example.org";
  return {};
}

}  // namespace

Expected<HostPort> parse_host_port(std::string_view text) {
  if (!text.empty() && text.front() == '[') return parse_bracketed(text);
  const auto colon = text.find(':');
  HostPort host;
  host.host = text.substr(0, colon);
  std::transform(host.host.begin(), host.host.end(), host.host.begin(), to_lower);
  if (colon != std::string_view::npos) {
    const auto port = parse_port(text.substr(colon + 1));
    if (!port && text.find(':', colon + 1) != std::string_view::npos)
      return bad_host("an IPv6 address stands in brackets");
    if (!port) return tl::unexpected(port.error());
    host.port = *port;
  }
  if (!ends_in_number(host.host)) {
    if (!is_name(host.host)) return bad_host("a host is a name of letters, digits, '-' and '_' between dots");
    return host;
  }
  const auto spelled = one_spelling<in_addr>(AF_INET, host.host);
  if (!spelled) return bad_host("an IPv4 address is four decimal numbers from 0 to 255");
  host.literal = true;
  return host;
}

std::string to_string(const HostPort& destination) {
  const bool v6 = destination.literal && destination.host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + destination.host + "]" : destination.host;
  if (destination.port) text += ":" + std::to_string(*destination.port);
  return text;
}

Expected<AllowPattern> parse_allow_pattern(std::string_view text) {
  constexpr std::string_view kBelow = "*.";
  const auto refuse = [](std::string why) {
    return fail("bad_pattern", std::move(why), "write a name, *.NAME or an address, with or without :PORT");
  };
  if (const auto mistake = likely_mistake(text); !mistake.empty()) return refuse(std::string(mistake));
  AllowPattern pattern;
  pattern.subdomains = text.substr(0, kBelow.size()) == kBelow;
  auto host = parse_host_port(pattern.subdomains ? text.substr(kBelow.size()) : text);
  if (!host) return refuse(host.error().message);
  if (pattern.subdomains && host->literal) return refuse("an address has no names below it");
  pattern.host = *std::move(host);
  return pattern;
}

std::string to_string(const AllowPattern& pattern) {
  return (pattern.subdomains ? "*." : "") + to_string(pattern.host);
}

bool allows(const AllowPattern& pattern, const HostPort& destination) {
  if (!port_fits(pattern, destination.port.value_or(0)) || pattern.host.literal != destination.literal) return false;
  const std::string& name = pattern.host.host;
  if (!pattern.subdomains) return name == destination.host;
  const std::string& asked = destination.host;
  return asked.size() > name.size() + 1 && asked.ends_with(name) && asked[asked.size() - name.size() - 1] == '.';
}

}  // namespace berth
