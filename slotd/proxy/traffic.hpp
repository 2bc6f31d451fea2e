// SPDX-License-Identifier: Apache-2.0
// What went to whom, counted for the calls that ran meanwhile. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace berth::slotd::proxy {

struct Traffic {
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;
  std::uint64_t sent = 0;      // bytes, from the slot outwards
  std::uint64_t received = 0;  // bytes
  Traffic& operator+=(const Traffic& more);
};

// By destination ("api.example.com:443"). Destinations past a bound are counted together: a slot chooses their names.
class Tally {
 public:
  static constexpr std::size_t kMostDestinations = 32;

  void note(std::string_view destination, const Traffic& more);
  [[nodiscard]] bool empty() const { return by_destination_.empty(); }
  // {"destinations": [{"destination", "connections", "refused", "sent_bytes", "received_bytes"}, ...]}; the rest, where
  // there is one, as "others" with the same keys.
  [[nodiscard]] std::string json() const;

 private:
  std::map<std::string, Traffic, std::less<>> by_destination_;
  Traffic others_;
  bool has_others_ = false;
};

// One slot's: every tally that somebody holds is told of everything.
class TrafficBook {
 public:
  [[nodiscard]] std::shared_ptr<Tally> open_tally();
  void note(std::string_view destination, const Traffic& more);

 private:
  std::vector<std::weak_ptr<Tally>> tallies_;
};

}  // namespace berth::slotd::proxy
