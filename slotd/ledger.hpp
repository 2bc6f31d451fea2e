// SPDX-License-Identifier: Apache-2.0
// What makes a call run exactly once: (slot, execution id) -> execution or tombstone, until the slot's next reset
// (wire.md 1.2). Results stay ten minutes after their end, within bounds; an id without its result stays a tombstone,
// so that it never runs again. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "slotd/execution.hpp"

namespace berth::slotd {

struct LedgerBounds {
  std::size_t delivered_per_slot = 256;
  std::size_t total_bytes = std::size_t{64} << 20;
  std::size_t ids_per_slot = 65'536;
  Duration keep = std::chrono::minutes(10);
};

class Ledger {
 public:
  explicit Ledger(LedgerBounds bounds = {}) : bounds_(bounds) {}

  enum class Match : std::uint8_t { fresh, same, other_content, gone };
  struct Found {
    Match match = Match::fresh;
    std::shared_ptr<Execution> execution;  // for `same`
  };
  [[nodiscard]] Found find(const std::string& slot, const std::string& id, std::string_view digest) const;
  // By id alone, for GET and DELETE. `gone`: known, but its result is not kept any more.
  [[nodiscard]] Found find_any(const std::string& slot, const std::string& id) const;

  // Undelivered results fill the budget: a new call must be refused (429 ledger_full).
  [[nodiscard]] bool full() const { return delivered_bytes_ == 0 && held_bytes_ > bounds_.total_bytes; }

  void add(const std::shared_ptr<Execution>& execution);
  void finished(const std::shared_ptr<Execution>& execution);   // its result is there
  void delivered(const std::shared_ptr<Execution>& execution);  // somebody was sent its reply, whole
  void forget_slot(const std::string& slot);                    // the slot was reset
  void expire(TimePoint now);

  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
  [[nodiscard]] std::size_t ids(const std::string& slot) const;

 private:
  struct Entry {
    std::string digest;
    std::shared_ptr<Execution> execution;  // null: tombstone
    std::size_t bytes = 0;                 // counted in held_bytes_ once finished
  };
  struct SlotLedger {
    std::unordered_map<std::string, Entry> entries;
    std::deque<std::shared_ptr<Execution>> delivered;  // oldest first; droppable
    std::deque<std::string> tombstones;                // oldest first
  };
  void settle(const std::shared_ptr<Execution>& execution);
  void drop_oldest(SlotLedger& slot);
  void trim(SlotLedger& slot);

  LedgerBounds bounds_;
  std::map<std::string, SlotLedger, std::less<>> slots_;
  std::size_t held_bytes_ = 0;
  std::size_t delivered_bytes_ = 0;
};

}  // namespace berth::slotd
