// SPDX-License-Identifier: Apache-2.0
#include "jobs/write.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "jobs/scalar.hpp"

namespace berth::jobs {
namespace {

// Nothing that means something else inside flow collections, at the start of a scalar or before a comment.
bool stands_bare(std::string_view text) {
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./+-").find(c) != std::string_view::npos;
  };
  const bool word_like = !text.empty() && text.front() != '-' && text.front() != '+' && text.front() != '.';
  return word_like && std::all_of(text.begin(), text.end(), safe);
}

std::string yaml_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// A plain scalar that is no bare word of ours is text to every reader, unless it is a number such as -1.
std::string scalar(const Node& node) {
  const bool number = node.plain && read_number(node).has_value();
  return number || (node.plain && stands_bare(node.text)) ? node.text : yaml_quoted(node.text);
}

}  // namespace

std::string yaml_text(std::string_view text) {
  Node node;
  node.kind = NodeKind::scalar;
  node.plain = true;
  node.text = text;
  const bool reads_back = read_text(node).has_value() && text != "null" && text != "none";
  return reads_back && stands_bare(text) ? node.text : yaml_quoted(text);
}

std::string to_yaml(const Node& node) {
  std::string out;
  switch (node.kind) {
    case NodeKind::null: return "null";
    case NodeKind::scalar: return scalar(node);
    case NodeKind::list:
      for (const NodePtr& item : node.items) out += (out.empty() ? "" : ", ") + to_yaml(*item);
      return "[" + out + "]";
    case NodeKind::map:
      for (const Entry& entry : node.entries)
        out += (out.empty() ? "" : ", ") + yaml_quoted(entry.key) + ": " + to_yaml(*entry.value);
      return "{" + out + "}";
  }
  return out;
}

}  // namespace berth::jobs
