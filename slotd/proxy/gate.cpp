// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/gate.hpp"

#include <algorithm>

namespace berth::slotd::proxy {

Gate::Gate(asio::io_context& context, GateOptions options) : context_(context), options_(std::move(options)) {
  for (const auto& text : options_.allow) {
    auto pattern = parse_allow_pattern(text);
    patterns_.push_back(pattern ? *std::move(pattern) : AllowPattern{});  // an empty one lets nothing through
  }
  traffic_.resize(patterns_.size());
}

std::optional<std::size_t> Gate::pattern_for(const HostPort& destination) const {
  const auto found = std::find_if(patterns_.begin(), patterns_.end(),
                                  [&](const AllowPattern& pattern) { return allows(pattern, destination); });
  if (found == patterns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - patterns_.begin());
}

Expected<void> Gate::judge(const std::vector<Address>& addresses) const {
  const auto own = own_addresses();
  if (!own) return tl::unexpected(own.error());
  for (const auto& address : addresses) {
    const bool unsafe = std::any_of(options_.unsafe_ranges.begin(), options_.unsafe_ranges.end(),
                                    [&](const AddressRange& range) { return range.contains(address); });
    if (unsafe) continue;
    auto why = not_public(address);
    if (!why && std::find(own->begin(), own->end(), address) != own->end()) why = "this machine's own";
    if (why) return fail("address", address.to_string() + " (" + std::string(*why) + ")");
  }
  return {};
}

bool Gate::enter() {
  if (open_ >= options_.limits.connections) return false;
  ++open_;
  return true;
}

}  // namespace berth::slotd::proxy
