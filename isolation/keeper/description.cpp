// SPDX-License-Identifier: Apache-2.0
#include <linux/filter.h>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {

bool next_entry(protocol::Reader& reader, Entry& entry) {
  if (!reader.take(entry.fixed)) return false;
  entry.name = reader.take_string(entry.fixed.name_size);
  entry.source = reader.take_string(entry.fixed.source_size);
  return entry.name != nullptr && entry.source != nullptr;
}

bool read_description(const Packet& packet, Description& description) {
  auto& fixed = description.fixed;
  if (!protocol::parse(packet.data, packet.size, protocol::Kind::describe, fixed)) return false;
  protocol::Reader reader(packet.data + sizeof fixed, packet.size - sizeof fixed);
  description.slot = reader.take_string(fixed.slot_size);
  description.workspace = reader.take_string(fixed.workspace_size);
  description.layer = reader.take_string(fixed.layer_size);
  if (description.slot == nullptr || description.workspace == nullptr || description.layer == nullptr) return false;
  description.entries_size = reader.left();
  description.entries = reader.take_bytes(0);
  Entry entry;
  for (std::uint32_t i = 0; i < fixed.entries; ++i) {
    if (!next_entry(reader, entry)) return false;
  }
  description.entries_size -= reader.left();
  description.filter = reader.take_bytes(std::size_t{fixed.filter_length} * sizeof(sock_filter));
  if (fixed.group_count > protocol::kMostGroups) return false;
  description.trees = packet.fds;
  description.tree_count = packet.fd_count;
  return description.filter != nullptr && reader.left() == 0;
}

int tree_of(const Description& description, std::uint32_t index) {
  return index < description.tree_count ? description.trees[index] : -1;
}

}  // namespace berth::keeper
