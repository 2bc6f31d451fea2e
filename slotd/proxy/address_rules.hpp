// SPDX-License-Identifier: Apache-2.0
// Which addresses a slot may be connected to: the public ones. The rest is the machine itself, its neighbours and the
// services that trust them.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "berth/error.hpp"

namespace berth::slotd::proxy {

namespace asio = boost::asio;
using Address = asio::ip::address;

// "192.0.2.0/24", "2001:db8::/32".
struct AddressRange {
  Address network;
  unsigned bits = 0;
  [[nodiscard]] bool contains(const Address& address) const;
};
// Error code "config".
[[nodiscard]] Expected<AddressRange> parse_range(std::string_view text);

// Why an address is none of the public ones, e.g. "private"; nothing for those that are. Pure.
[[nodiscard]] std::optional<std::string_view> not_public(const Address& address);

// All of a name's addresses, or none: a name that also points inwards is not to be trusted. `unsafe` lists what is
// reached though it is not public, `own` what is not though it is. Error code "address". Pure.
[[nodiscard]] Expected<void> judge(const std::vector<Address>& addresses, const std::vector<AddressRange>& unsafe,
                                   const std::vector<Address>& own);

// Every address of this machine's (or container's) interfaces, now.
[[nodiscard]] Expected<std::vector<Address>> own_addresses();

}  // namespace berth::slotd::proxy
