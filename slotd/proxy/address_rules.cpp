// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/address_rules.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <string>

namespace berth::slotd::proxy {
namespace {

struct V4Rule {
  std::uint32_t network;
  unsigned bits;
  std::string_view what;
};
constexpr std::uint32_t v4(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return a << 24 | b << 16 | c << 8;
}
// IANA's registry of special addresses.
constexpr std::array<V4Rule, 16> kNotPublicV4{{{v4(0, 0, 0), 8, "unspecified"},
                                               {v4(10, 0, 0), 8, "private"},
                                               {v4(100, 64, 0), 10, "shared"},
                                               {v4(127, 0, 0), 8, "loopback"},
                                               {v4(169, 254, 0), 16, "link-local"},
                                               {v4(172, 16, 0), 12, "private"},
                                               {v4(192, 0, 0), 24, "reserved"},
                                               {v4(192, 0, 2), 24, "documentation"},
                                               {v4(192, 88, 99), 24, "6to4"},
                                               {v4(192, 168, 0), 16, "private"},
                                               {v4(198, 18, 0), 15, "benchmarking"},
                                               {v4(198, 51, 100), 24, "documentation"},
                                               {v4(203, 0, 113), 24, "documentation"},
                                               {v4(224, 0, 0), 4, "multicast"},
                                               {v4(240, 0, 0), 4, "reserved"},
                                               {v4(255, 255, 255), 24, "broadcast"}}};

using V6 = asio::ip::address_v6::bytes_type;
struct V6Rule {
  V6 network;
  unsigned bits;
  std::string_view what;
};
constexpr std::array<V6Rule, 10> kNotPublicV6{{
    {{0}, 127, "loopback"},  // with ::, the unspecified one
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, "an IPv4 address in disguise"},
    {{0, 0x64, 0xff, 0x9b}, 32, "an IPv4 address in disguise"},  // NAT64
    {{0xfc}, 7, "private"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xff}, 8, "multicast"},
    {{0x20, 0x01}, 23, "reserved"},  // Teredo and other protocols' own
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    {{0x20, 0x02}, 16, "6to4"},
    {{0x3f, 0xff}, 20, "documentation"},
}};
constexpr V6Rule kGlobalV6{{0x20}, 3, ""};

bool same_prefix(const unsigned char* one, const unsigned char* other, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (std::memcmp(one, other, whole) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (one[whole] ^ other[whole]) >> (8 - rest) == 0;
}

bool in_v4(std::uint32_t address, const V4Rule& rule) {
  return (address ^ rule.network) >> (32 - rule.bits) == 0;
}

bool in_v6(const V6& address, const V6Rule& rule) {
  return same_prefix(address.data(), rule.network.data(), rule.bits);
}

std::optional<Address> address_of(const sockaddr* socket) {
  if (socket != nullptr && socket->sa_family == AF_INET) {
    return asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in*>(socket)->sin_addr.s_addr));
  }
  if (socket == nullptr || socket->sa_family != AF_INET6) return std::nullopt;
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(socket)->sin6_addr, bytes.size());
  return asio::ip::address_v6(bytes);
}

}  // namespace

bool AddressRange::contains(const Address& address) const {
  if (address.is_v4() != network.is_v4()) return false;
  if (address.is_v4()) {
    return same_prefix(address.to_v4().to_bytes().data(), network.to_v4().to_bytes().data(), bits);
  }
  return same_prefix(address.to_v6().to_bytes().data(), network.to_v6().to_bytes().data(), bits);
}

Expected<AddressRange> parse_range(std::string_view text) {
  const auto slash = text.find('/');
  AddressRange range;
  boost::system::error_code error;
  range.network = asio::ip::make_address(std::string(text.substr(0, slash)), error);
  const auto digits = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  const char* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, range.bits);
  const unsigned most = range.network.is_v4() ? 32 : 128;
  if (error || digits.empty() || parsed.ec != std::errc() || parsed.ptr != end || range.bits > most) {
    return fail("config", std::string(text) + " is no range of addresses", "write it like 10.1.0.0/16 or fd00::/8");
  }
  return range;
}

std::optional<std::string_view> not_public(const Address& address) {
  if (address.is_v4()) {
    const auto number = address.to_v4().to_uint();
    const auto* const found =
        std::find_if(kNotPublicV4.begin(), kNotPublicV4.end(), [&](const V4Rule& rule) { return in_v4(number, rule); });
    return found == kNotPublicV4.end() ? std::nullopt : std::optional(found->what);
  }
  const V6 number = address.to_v6().to_bytes();
  const auto* const found =
      std::find_if(kNotPublicV6.begin(), kNotPublicV6.end(), [&](const V6Rule& rule) { return in_v6(number, rule); });
  if (found != kNotPublicV6.end()) return found->what;
  // What nobody has given out yet may become anything.
  return in_v6(number, kGlobalV6) ? std::nullopt : std::optional<std::string_view>("reserved");
}

Expected<void> judge(const std::vector<Address>& addresses, const std::vector<AddressRange>& unsafe,
                     const std::vector<Address>& own) {
  for (const auto& address : addresses) {
    const bool exempt =
        std::any_of(unsafe.begin(), unsafe.end(), [&](const AddressRange& range) { return range.contains(address); });
    if (exempt) continue;
    auto why = not_public(address);
    if (!why && std::find(own.begin(), own.end(), address) != own.end()) why = "this machine's own";
    if (why) return fail("address", address.to_string() + " (" + std::string(*why) + ")");
  }
  return {};
}

Expected<std::vector<Address>> own_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return fail_errno("asking for this machine's own addresses", errno);
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  std::vector<Address> found;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (const auto address = address_of(each->ifa_addr)) found.push_back(*address);
  }
  return found;
}

}  // namespace berth::slotd::proxy
