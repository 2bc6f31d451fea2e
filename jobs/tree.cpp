// SPDX-License-Identifier: Apache-2.0
#include "jobs/tree.hpp"

#include <algorithm>
#include <sstream>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/utf8.hpp"
#include "jobs/tree_builder.hpp"

namespace berth::jobs {
namespace {

Position position_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const auto line_start = before.rfind('\n');
  return Position{line, line_start == std::string_view::npos ? offset + 1 : offset - line_start};
}

std::size_t first_invalid_byte(std::string_view text) {
  std::size_t at = ascii_run(text, 0);
  while (at < text.size()) {
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) return at;
    at += step.length;
    if (at < text.size()) at += ascii_run(text, at);
  }
  return text.size();
}

std::optional<Refusal> check_bytes(std::string_view text, const TreeBounds& bounds) {
  if (text.size() > bounds.max_bytes) {
    return Refusal{{}, "larger than " + std::to_string(bounds.max_bytes) + " bytes, the most a job file may have"};
  }
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F;
  };
  const auto control = std::find_if(text.begin(), text.end(), is_control);
  if (control != text.end()) {
    const auto offset = static_cast<std::size_t>(control - text.begin());
    return Refusal{position_at(text, offset), "a control character; write it as an escape in a quoted text"};
  }
  if (const auto bad = first_invalid_byte(text); bad < text.size()) {
    return Refusal{position_at(text, bad), "bytes that are not UTF-8"};
  }
  return std::nullopt;
}

std::string_view line_of(std::string_view text, std::size_t number) {
  for (; number > 1; --number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// The column of a "{{" in `line` that stands outside of quotes and before `limit`.
std::optional<std::size_t> unquoted_template(std::string_view line, std::size_t limit) {
  char quote = 0;
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i + 1 < line.size() && i < limit; ++i) {
    const char c = line[i];
    if (quote == '"' && c == '\\') {
      ++i;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '{' && line[i + 1] == '{') {
      found = i + 1;
      ++i;
    }
  }
  return found;
}

// The parser's own words for what people do most often are no help; these are.
Refusal explain(std::string_view text, const YAML::ParserException& problem) {
  const Position at = position_of(problem.mark);
  const std::string_view line = line_of(text, at.line);
  if (const auto column = unquoted_template(line, at.column)) {
    return Refusal{{at.line, *column}, "quote text that holds a template, for example \"echo {{index}}\""};
  }
  const auto indent = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
  if (const auto tab = indent.find('\t'); tab != std::string_view::npos) {
    return Refusal{{at.line, tab + 1}, "a tab cannot be used to indent; use spaces"};
  }
  return Refusal{at, "not valid YAML: " + problem.msg};
}

void parse(std::string_view text, TreeBuilder& builder) {
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::ParserException& problem) {
    throw explain(text, problem);
  } catch (const YAML::Exception& problem) {
    throw Refusal{position_of(problem.mark), "not valid YAML: " + problem.msg};
  }
}

}  // namespace

NodePtr read_tree(std::string_view text, unsigned source, Complaints& complaints, const TreeBounds& bounds) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  TreeBuilder builder(text, source, complaints, bounds);
  try {
    if (auto refusal = check_bytes(text, bounds)) throw std::move(*refusal);
    parse(text, builder);
    if (!builder.root()) throw Refusal{{1, 1}, "nothing is written here"};
  } catch (const Refusal& refusal) {
    const Place place{source, source == 0 ? refusal.at : Position{}};
    if (!complaints.has(place)) complaints.add(place, refusal.message);
    return nullptr;
  }
  return builder.root();
}

const Node* find(const Node* node, std::string_view key) {
  if (node == nullptr || node->kind != NodeKind::map) return nullptr;
  for (const Entry& entry : node->entries) {
    if (entry.key == key) return entry.value.get();
  }
  return nullptr;
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case NodeKind::null: return "nothing";
    case NodeKind::list: return "a list";
    case NodeKind::map: return "a map";
    case NodeKind::scalar: break;
  }
  return in_quotes(node.text);
}

}  // namespace berth::jobs
