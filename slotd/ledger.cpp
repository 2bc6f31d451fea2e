// SPDX-License-Identifier: Apache-2.0
#include "slotd/ledger.hpp"

namespace berth::slotd {

Ledger::Found Ledger::find_any(const std::string& slot, const std::string& id) const {
  const auto in_slot = slots_.find(slot);
  if (in_slot == slots_.end()) return {};
  const auto entry = in_slot->second.entries.find(id);
  if (entry == in_slot->second.entries.end()) return {};
  if (!entry->second.execution) return {Match::gone, nullptr};
  return {Match::same, entry->second.execution};
}

Ledger::Found Ledger::find(const std::string& slot, const std::string& id, std::string_view digest) const {
  auto found = find_any(slot, id);
  if (found.match == Match::fresh) return found;
  if (slots_.find(slot)->second.entries.find(id)->second.digest != digest) return {Match::other_content, nullptr};
  return found;
}

void Ledger::add(const std::shared_ptr<Execution>& execution) {
  auto& slot = slots_[execution->call.slot];
  slot.entries[execution->call.id] = Entry{execution->call.digest, execution, 0};
  while (slot.entries.size() > bounds_.ids_per_slot) {
    if (slot.tombstones.empty() && slot.delivered.empty()) return;  // only live calls are left, which the queue bounds
    if (slot.tombstones.empty()) drop_oldest(slot);
    slot.entries.erase(slot.tombstones.front());
    slot.tombstones.pop_front();
  }
}

void Ledger::finished(const std::shared_ptr<Execution>& execution) {
  auto& slot = slots_[execution->call.slot];
  const auto entry = slot.entries.find(execution->call.id);
  if (entry == slot.entries.end() || entry->second.execution != execution) return;  // reset meanwhile
  entry->second.bytes = execution->bytes();
  held_bytes_ += entry->second.bytes;
  if (execution->delivered) settle(execution);
}

void Ledger::delivered(const std::shared_ptr<Execution>& execution) {
  if (execution->delivered) return;
  execution->delivered = true;
  if (execution->state == ExecutionState::finished) settle(execution);
}

// Finished and delivered: from here on it may be dropped.
void Ledger::settle(const std::shared_ptr<Execution>& execution) {
  auto& slot = slots_[execution->call.slot];
  const auto entry = slot.entries.find(execution->call.id);
  if (entry == slot.entries.end() || entry->second.execution != execution) return;
  delivered_bytes_ += entry->second.bytes;
  slot.delivered.push_back(execution);
  trim(slot);
}

void Ledger::drop_oldest(SlotLedger& slot) {
  const auto execution = std::move(slot.delivered.front());
  slot.delivered.pop_front();
  auto& entry = slot.entries[execution->call.id];
  held_bytes_ -= entry.bytes;
  delivered_bytes_ -= entry.bytes;
  entry.bytes = 0;
  entry.execution = nullptr;
  slot.tombstones.push_back(execution->call.id);
}

void Ledger::trim(SlotLedger& slot) {
  while (slot.delivered.size() > bounds_.delivered_per_slot) drop_oldest(slot);
  while (held_bytes_ > bounds_.total_bytes && delivered_bytes_ > 0) {
    SlotLedger* oldest = nullptr;
    for (auto& [name, candidate] : slots_) {
      if (candidate.delivered.empty()) continue;
      if (oldest == nullptr || candidate.delivered.front()->finished_at < oldest->delivered.front()->finished_at)
        oldest = &candidate;
    }
    if (oldest == nullptr) return;
    drop_oldest(*oldest);
  }
}

void Ledger::forget_slot(const std::string& slot) {
  const auto found = slots_.find(slot);
  if (found == slots_.end()) return;
  for (const auto& execution : found->second.delivered)
    delivered_bytes_ -= found->second.entries[execution->call.id].bytes;
  for (const auto& [id, entry] : found->second.entries) held_bytes_ -= entry.bytes;
  slots_.erase(found);
}

void Ledger::expire(TimePoint now) {
  for (auto& [name, slot] : slots_) {
    while (!slot.delivered.empty() && now - slot.delivered.front()->finished_at >= bounds_.keep) drop_oldest(slot);
  }
}

std::size_t Ledger::ids(const std::string& slot) const {
  const auto found = slots_.find(slot);
  return found == slots_.end() ? 0 : found->second.entries.size();
}

}  // namespace berth::slotd
