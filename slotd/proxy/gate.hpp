// SPDX-License-Identifier: Apache-2.0
// What the proxies of all slots share: who is allowed, which addresses are not, the bounds, the counts.
// Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/allow_list.hpp"
#include "base/clock.hpp"
#include "slotd/proxy/address_rules.hpp"
#include "slotd/proxy/traffic.hpp"

namespace berth::slotd::proxy {

struct Limits {
  std::size_t connections_per_slot = 64;
  std::size_t connections = 4096;               // of all slots
  std::size_t accepts_a_second = 500;           // of one slot: who only knocks takes no time from the others
  Duration head = std::chrono::seconds(10);     // for a whole request head
  Duration between = std::chrono::seconds(60);  // from an answer to the next request
  Duration lookup = std::chrono::seconds(10);
  Duration connect = std::chrono::seconds(10);
  Duration half_open = std::chrono::seconds(60);  // without a byte, once one side of a tunnel has ended
  Duration idle = std::chrono::minutes(10);       // without a byte in either direction
};

struct GateOptions {
  std::vector<std::string> allow;           // patterns that parse
  std::vector<AddressRange> unsafe_ranges;  // reached though they are not public
  std::string name_servers;                 // as Lookup takes them
  Limits limits{};
};

class Gate {
 public:
  Gate(asio::io_context& context, GateOptions options);

  // The pattern that lets a destination through.
  [[nodiscard]] std::optional<std::size_t> pattern_for(const HostPort& destination) const;
  // As the free function, with this machine's addresses of the moment. Codes: "address", "system".
  [[nodiscard]] Expected<void> judge(const std::vector<Address>& addresses) const;

  void count(std::size_t pattern, const Traffic& more) { traffic_[pattern] += more; }
  void count_refused(std::string_view reason) { ++refused_[std::string(reason)]; }
  [[nodiscard]] bool enter();  // one more connection; false when there are too many
  void leave() { --open_; }

  [[nodiscard]] asio::io_context& context() { return context_; }
  [[nodiscard]] const Limits& limits() const { return options_.limits; }
  [[nodiscard]] const std::string& name_servers() const { return options_.name_servers; }
  // For the metrics: bounded by the job's list, and by the reasons of this code.
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] std::size_t patterns() const { return patterns_.size(); }
  [[nodiscard]] const std::string& pattern(std::size_t index) const { return options_.allow[index]; }
  [[nodiscard]] const Traffic& traffic(std::size_t index) const { return traffic_[index]; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& refused() const { return refused_; }

 private:
  asio::io_context& context_;
  const GateOptions options_;
  std::vector<AllowPattern> patterns_;  // those of options_.allow
  std::vector<Traffic> traffic_;        // by pattern
  std::map<std::string, std::uint64_t> refused_;
  std::size_t open_ = 0;
};

}  // namespace berth::slotd::proxy
