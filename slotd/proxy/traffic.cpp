// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/traffic.hpp"

#include "base/json.hpp"

namespace berth::slotd::proxy {
namespace {

std::string counts_json(const Traffic& traffic) {
  return "\"connections\":" + std::to_string(traffic.connections) + ",\"refused\":" + std::to_string(traffic.refused) +
         ",\"sent_bytes\":" + std::to_string(traffic.sent) + ",\"received_bytes\":" + std::to_string(traffic.received) +
         "}";
}

}  // namespace

Traffic& Traffic::operator+=(const Traffic& more) {
  connections += more.connections;
  refused += more.refused;
  sent += more.sent;
  received += more.received;
  return *this;
}

void Tally::note(std::string_view destination, const Traffic& more) {
  const auto found = by_destination_.find(destination);
  if (found != by_destination_.end()) {
    found->second += more;
  } else if (by_destination_.size() < kMostDestinations) {
    by_destination_.emplace(destination, more);
  } else {
    others_ += more;
    has_others_ = true;
  }
}

std::string Tally::json() const {
  std::string out = "{\"destinations\":[";
  for (const auto& [destination, traffic] : by_destination_) {
    if (out.back() == '}') out += ',';
    out += "{\"destination\":";
    append_json_string(out, destination);
    out += "," + counts_json(traffic);
  }
  out += "]";
  if (has_others_) out += ",\"others\":{" + counts_json(others_);
  return out + "}";
}

std::shared_ptr<Tally> TrafficBook::open_tally() {
  std::erase_if(tallies_, [](const auto& tally) { return tally.expired(); });
  auto tally = std::make_shared<Tally>();
  tallies_.push_back(tally);
  return tally;
}

void TrafficBook::note(std::string_view destination, const Traffic& more) {
  for (const auto& weak : tallies_) {
    if (const auto tally = weak.lock()) tally->note(destination, more);
  }
}

}  // namespace berth::slotd::proxy
