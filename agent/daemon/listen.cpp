// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/listen.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace berth::agent {
namespace {

constexpr std::string_view kUnix = "unix:";

tl::unexpected<Error> refuse(std::string_view text) {
  return fail("bad_listen", "listen: " + std::string(text) + " is no address",
              "write HOST:PORT with an IP address, for example 127.0.0.1:8780, or unix:PATH");
}

std::string bare(std::string_view host) {
  if (host == "localhost") return "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

}  // namespace

bool ListenAddress::is_local() const {
  if (is_unix()) return true;
  in_addr v4{};
  in6_addr v6{};
  const std::string literal = bare(host);
  if (::inet_pton(AF_INET, literal.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return ::inet_pton(AF_INET6, literal.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string ListenAddress::url(std::uint16_t bound) const {
  if (is_unix()) return host;
  return (tls ? "https://" : "http://") + host + ":" + std::to_string(bound);
}

Expected<ListenAddress> parse_listen(std::string_view text) {
  if (text.starts_with(kUnix) && text.size() > kUnix.size()) return ListenAddress{std::string(text), 0};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return refuse(text);
  ListenAddress address;
  address.host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return refuse(text);
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  const std::string literal = bare(address.host);
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = !bracketed && ::inet_pton(AF_INET, literal.c_str(), &v4) == 1;
  const bool is_v6 = bracketed && ::inet_pton(AF_INET6, literal.c_str(), &v6) == 1;
  if (!is_v4 && !is_v6) return refuse(text);
  return address;
}

Expected<void> check_exposure(const ListenAddress& address, bool has_tokens) {
  if (has_tokens || address.is_local()) return {};
  return fail("tokens_needed",
              "listening on " + address.host +
                  " without tokens would let everybody who reaches this machine run "
                  "commands on it",
              "name a file of tokens with the key tokens (or --tokens FILE), or listen on 127.0.0.1 or unix:PATH");
}

}  // namespace berth::agent
