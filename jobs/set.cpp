// SPDX-License-Identifier: Apache-2.0
#include "jobs/set.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace berth::jobs {
namespace {

struct Refused {
  std::string message;
};

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> steps;
  while (true) {
    const auto dot = path.find('.');
    steps.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return steps;
    path.remove_prefix(dot + 1);
  }
}

class Setter {
 public:
  Setter(std::vector<std::string> path, NodePtr value) : path_(std::move(path)), value_(std::move(value)) {}

  // A copy of `node` with the value in it; `at` steps of the path lead to `node`.
  [[nodiscard]] NodePtr put(const NodePtr& node, std::size_t at) const {
    if (at == path_.size()) return value_;
    if (node == nullptr || node->kind == NodeKind::null) return put_in_map(std::make_shared<Node>(), at);
    if (node->kind == NodeKind::map) return put_in_map(std::make_shared<Node>(*node), at);
    if (node->kind == NodeKind::list) return put_in_list(std::make_shared<Node>(*node), at);
    throw Refused{name(at) + " is " + describe(*node) + ", which has no " + path_[at] + " in it"};
  }

 private:
  [[nodiscard]] std::string name(std::size_t steps) const {
    std::string out;
    for (std::size_t i = 0; i < steps; ++i) out += (i > 0 ? "." : "") + path_[i];
    return out;
  }

  [[nodiscard]] NodePtr put_in_map(std::shared_ptr<Node> map, std::size_t at) const {
    map->kind = NodeKind::map;
    if (map->place.source == 0 && map->place.at.line == 0) map->place = value_->place;
    const auto entry = std::find_if(map->entries.begin(), map->entries.end(),
                                    [&](const Entry& candidate) { return candidate.key == path_[at]; });
    if (entry != map->entries.end()) {
      entry->value = put(entry->value, at + 1);
      entry->place = at + 1 == path_.size() ? value_->place : entry->place;
    } else {
      map->entries.push_back(Entry{path_[at], value_->place, put(nullptr, at + 1)});
    }
    return map;
  }

  [[nodiscard]] NodePtr put_in_list(std::shared_ptr<Node> list, std::size_t at) const {
    const std::string& step = path_[at];
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    if (error != std::errc() || end != step.data() + step.size()) {
      throw Refused{name(at) + " is a list; name a place in it by number, from 0, not " + in_quotes(step)};
    }
    if (index >= list->items.size()) {
      throw Refused{name(at) + " has " + std::to_string(list->items.size()) + " entries, counted from 0; there is no " +
                    step};
    }
    list->items[index] = put(list->items[index], at + 1);
    return list;
  }

  std::vector<std::string> path_;
  NodePtr value_;
};

}  // namespace

NodePtr apply_set(const NodePtr& root, const std::string& set, Complaints& complaints) {
  const unsigned source = complaints.add_source("--set " + set);
  const auto equals = set.find('=');
  if (equals == std::string::npos) {
    complaints.add(Place{source, {}}, "expected PATH=VALUE, for example slot.memory=1GiB");
    return root;
  }
  const auto path = split_path(std::string_view(set).substr(0, equals));
  if (std::find(path.begin(), path.end(), "") != path.end()) {
    complaints.add(Place{source, {}}, "the path before = has an empty part");
    return root;
  }
  NodePtr value = read_tree(std::string_view(set).substr(equals + 1), source, complaints);
  if (!value) return root;
  try {
    return Setter(path, std::move(value)).put(root, 0);
  } catch (const Refused& refused) {
    complaints.add(Place{source, {}}, refused.message);
    return root;
  }
}

NodePtr with_text(const NodePtr& root, const std::string& path, std::string value, unsigned source,
                  Complaints& complaints) {
  auto node = std::make_shared<Node>();
  node->kind = NodeKind::scalar;
  node->place.source = source;
  node->text = std::move(value);
  try {
    return Setter(split_path(path), std::move(node)).put(root, 0);
  } catch (const Refused& refused) {
    complaints.add(Place{source, {}}, refused.message);
    return root;
  }
}

}  // namespace berth::jobs
