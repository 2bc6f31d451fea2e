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
  return proxy::judge(addresses, options_.unsafe_ranges, *own);
}

bool Gate::enter() {
  if (open_ >= options_.limits.connections) return false;
  ++open_;
  return true;
}

}  // namespace berth::slotd::proxy
