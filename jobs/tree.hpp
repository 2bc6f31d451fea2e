// SPDX-License-Identifier: Apache-2.0
// YAML as a small tree with places, and none of the readings in which YAML parsers differ: one document, no repeated,
// merged or compound keys, no tags, scalars as written. Immutable once read; aliases share what they name, so the
// bounds count what a walk over the tree would visit.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/complaints.hpp"

namespace berth::jobs {

struct TreeBounds {
  std::size_t max_bytes = std::size_t{1} << 20;       // of the text
  std::size_t max_nodes = 20'000;                     // aliases expanded
  std::size_t max_text_bytes = std::size_t{4} << 20;  // of all scalars, aliases expanded
  std::size_t max_depth = 32;
};

enum class NodeKind : unsigned char { null, scalar, list, map };

struct Node;
using NodePtr = std::shared_ptr<const Node>;

struct Entry {
  std::string key;
  Place place;  // of the key
  NodePtr value;
};

struct Node {
  NodeKind kind = NodeKind::null;
  bool plain = false;   // a scalar without quotes
  bool broken = false;  // already complained about: nobody else should
  Place place;
  std::string text;            // scalar
  std::vector<NodePtr> items;  // list
  std::vector<Entry> entries;  // map, in the order of the file
  // What a walk visits, aliases expanded.
  std::size_t nodes = 1;
  std::size_t text_bytes = 0;
  std::size_t depth = 1;
};

// The tree of `text`; nothing when it has none worth looking at. Complaints go to `complaints`: the tree may be there
// beside them. An empty text or document is a complaint.
[[nodiscard]] NodePtr read_tree(std::string_view text, unsigned source, Complaints& complaints,
                                const TreeBounds& bounds = {});

// The value of `key` in a map; nullptr when `node` is null, is no map or has no such key.
[[nodiscard]] const Node* find(const Node* node, std::string_view key);

// "a map", "a list", "nothing", or the scalar itself.
[[nodiscard]] std::string describe(const Node& node);

}  // namespace berth::jobs
