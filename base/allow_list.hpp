// SPDX-License-Identifier: Apache-2.0
// Who a slot may talk to (job file: slot.network.allow), and how destinations are written. Every host has one spelling
// here, so that what is compared is what is connected to. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth {

inline constexpr std::size_t kMostAllowed = 256;  // patterns of one job

// "api.example.com:443", "192.0.2.7", "[2001:db8::1]:80".
struct HostPort {
  std::string host;      // a name in lower case, or an address in its one spelling, without brackets
  bool literal = false;  // an address
  std::optional<std::uint16_t> port;
};

// Strict: ASCII host names (letters, digits, '-', '_', no dot at the end), IPv4 as four decimal numbers, IPv6 in
// brackets. Octal, hexadecimal and shortened IPv4 spellings are no names either. Error code "bad_host".
[[nodiscard]] Expected<HostPort> parse_host_port(std::string_view text);
[[nodiscard]] std::string to_string(const HostPort& destination);

// One line of the list: a host as above, or "*." and a name for everything below that name (any depth, not the name
// itself). Without a port: 80 and 443.
struct AllowPattern {
  HostPort host;
  bool subdomains = false;
};

// Error code "bad_pattern".
[[nodiscard]] Expected<AllowPattern> parse_allow_pattern(std::string_view text);
[[nodiscard]] std::string to_string(const AllowPattern& pattern);
// `destination` has a port.
[[nodiscard]] bool allows(const AllowPattern& pattern, const HostPort& destination);

}  // namespace berth
