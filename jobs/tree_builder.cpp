// SPDX-License-Identifier: Apache-2.0
#include "jobs/tree_builder.hpp"

#include <algorithm>

namespace berth::jobs {
namespace {

// What "{{x}}" looks like to YAML: a map whose only key is a map whose only key is x.
std::string template_name(const Node& key) {
  if (key.kind != NodeKind::map || key.entries.size() != 1) return "NAME";
  return key.entries.front().key;
}

// What follows anchors and tags.
std::string_view content(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  while (text.starts_with('&') || text.starts_with('!')) {
    text.remove_prefix(std::min(text.find_first_of(kSpace), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  }
  return text;
}

}  // namespace

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (document_seen_) throw Refusal{position_of(mark), "a second document begins here; a job file is one document"};
  document_seen_ = true;
}

void TreeBuilder::check_tag(const YAML::Mark& mark, const std::string& tag) {
  const bool written = mark.pos >= 0 && text_.substr(static_cast<std::size_t>(mark.pos), 1) == "!";
  if (tag.empty() || tag == "?" || (tag == "!" && !written)) return;
  complaints_.add(place(mark), "YAML tags such as !!str are not used in job files; quote text instead");
}

// The parser takes the end of the file for the missing quote when a line ends before it.
void TreeBuilder::check_quotes(const YAML::Mark& mark) const {
  if (mark.pos < 0 || static_cast<std::size_t>(mark.pos) >= text_.size()) return;
  const std::string_view rest = content(text_.substr(static_cast<std::size_t>(mark.pos)));
  if (rest.empty()) return;
  const char quote = rest.front();
  if (quote != '"' && quote != '\'') return;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    const bool doubled = quote == '\'' && rest.substr(i, 2) == "''";
    if (rest[i] == quote && !doubled) return;
    if (doubled || (quote == '"' && rest[i] == '\\')) ++i;
  }
  throw Refusal{position_of(mark), "this quote is never closed"};
}

void TreeBuilder::count(Position at, std::size_t nodes, std::size_t text_bytes, std::size_t depth) {
  nodes_ += nodes;
  text_bytes_ += text_bytes;
  if (nodes_ > bounds_.max_nodes) {
    throw Refusal{at, "more than " + std::to_string(bounds_.max_nodes) + " values, aliases counted each time"};
  }
  if (text_bytes_ > bounds_.max_text_bytes) {
    throw Refusal{at,
                  "more than " + std::to_string(bounds_.max_text_bytes) + " bytes of text, aliases counted each time"};
  }
  if (open_.size() + depth > bounds_.max_depth) {
    throw Refusal{at, "nested more than " + std::to_string(bounds_.max_depth) + " levels deep"};
  }
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  count(position_of(mark), 1, 0, 1);
  auto node = std::make_shared<Node>();
  node->place = place(mark);
  // The parser places a missing value at whatever follows it, often lines below.
  if (!open_.empty() && open_.back().awaits_value) node->place = open_.back().entry.place;
  if (anchor != 0) anchors_[anchor] = node;
  attach(std::move(node));
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  check_tag(mark, tag);
  if (tag != "?") check_quotes(mark);
  count(position_of(mark), 1, value.size(), 1);
  auto node = std::make_shared<Node>();
  node->kind = NodeKind::scalar;
  node->plain = tag == "?";
  node->place = place(mark);
  node->text = value;
  node->text_bytes = value.size();
  if (value.find('\0') != std::string::npos) {
    complaints_.add(node->place, "text with a NUL character cannot be passed on");
    node->broken = true;
  }
  if (anchor != 0) anchors_[anchor] = node;
  attach(std::move(node));
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const auto known = anchors_.find(anchor);
  if (known == anchors_.end()) throw Refusal{position_of(mark), "an alias inside of what it names has no end"};
  const Node& node = *known->second;
  count(position_of(mark), node.nodes, node.text_bytes, node.depth);
  attach(known->second);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value style) {
  check_tag(mark, tag);
  open(NodeKind::list, mark, anchor, style);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value style) {
  check_tag(mark, tag);
  open(NodeKind::map, mark, anchor, style);
}

void TreeBuilder::open(NodeKind kind, const YAML::Mark& mark, YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
  count(position_of(mark), 1, 0, 1);
  Open opened;
  opened.node = std::make_shared<Node>();
  opened.node->kind = kind;
  opened.node->place = place(mark);
  opened.anchor = anchor;
  opened.flow = style == YAML::EmitterStyle::Flow;
  open_.push_back(std::move(opened));
}

void TreeBuilder::close() {
  const NodePtr done = open_.back().node;
  if (open_.back().anchor != 0) anchors_[open_.back().anchor] = done;
  open_.pop_back();
  attach(done);
}

void TreeBuilder::attach(NodePtr node) {
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  Open& parent = open_.back();
  parent.node->nodes += node->nodes;
  parent.node->text_bytes += node->text_bytes;
  parent.node->depth = std::max(parent.node->depth, node->depth + 1);
  if (parent.node->kind == NodeKind::list) {
    parent.node->items.push_back(std::move(node));
  } else if (parent.awaits_value) {
    take_value(parent, std::move(node));
  } else {
    take_key(parent, *node);
  }
}

void TreeBuilder::take_key(Open& parent, const Node& node) {
  parent.awaits_value = true;
  parent.drop_value = true;
  parent.entry = Entry{node.text, node.place, nullptr};
  if (node.kind == NodeKind::map || node.kind == NodeKind::list) {
    refuse_compound_key(parent, node);
    return;
  }
  if (node.kind == NodeKind::null) {
    complaints_.add(node.place, "a key is missing");
    return;
  }
  if (node.plain && node.text == "<<") {
    complaints_.add(node.place, "unknown key \"<<\": merge keys are not used in job files");
    return;
  }
  const auto [first, fresh] = parent.lines.emplace(node.text, node.place.at.line);
  if (!fresh) {
    const std::string where = first->second > 0 ? ", first in line " + std::to_string(first->second) : "";
    complaints_.add(node.place, "key " + in_quotes(node.text) + " stands here twice" + where);
    return;
  }
  parent.drop_value = node.broken;
}

void TreeBuilder::refuse_compound_key(Open& parent, const Node& node) {
  if (!parent.flow || node.kind != NodeKind::map) {
    complaints_.add(node.place, "a key must be plain text");
    return;
  }
  parent.node->broken = true;
  complaints_.add(parent.node->place, "quote text that holds a template: \"{{" + template_name(node) + "}}\"");
}

void TreeBuilder::take_value(Open& parent, NodePtr node) {
  parent.awaits_value = false;
  if (parent.drop_value) return;
  parent.entry.value = std::move(node);
  parent.node->entries.push_back(std::move(parent.entry));
}

}  // namespace berth::jobs
