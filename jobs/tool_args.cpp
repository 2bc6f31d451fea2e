// SPDX-License-Identifier: Apache-2.0
// Arguments of the tools that steps call, as far as they are literal.
#include <algorithm>

#include "base/text.hpp"
#include "jobs/scalar.hpp"
#include "jobs/template.hpp"
#include "jobs/uses.hpp"

namespace berth::jobs {
namespace {

std::string_view wanted(ArgKind kind) {
  switch (kind) {
    case ArgKind::text: return "text";
    case ArgKind::path: return "a path";
    case ArgKind::text_list: return "a list of texts, at least one";
    case ArgKind::flag: return "true or false";
    case ArgKind::count: return "a whole number";
    case ArgKind::text_map: return "a map of names to texts";
  }
  return {};
}

bool is_literal_of(const Node& node, ArgKind kind) {
  switch (kind) {
    case ArgKind::text: return read_text(node).has_value();
    case ArgKind::path: return !read_text(node).value_or("").empty();
    case ArgKind::flag: return read_flag(node).has_value();
    case ArgKind::count: return read_integer(node).has_value();
    case ArgKind::text_list: return node.kind == NodeKind::list && !node.items.empty();
    case ArgKind::text_map: return node.kind == NodeKind::map;
  }
  return false;
}

// The field whose value this argument takes whole, type included.
std::string whole_field(const Node& node) {
  if (node.kind != NodeKind::scalar) return {};
  const auto parsed = Template::parse(node.text);
  return parsed ? std::string(parsed->sole_item_field()) : std::string();
}

class ArgChecker {
 public:
  ArgChecker(const ToolRule& tool, std::vector<Use>& uses, Complaints& complaints)
      : tool_(tool), uses_(uses), complaints_(complaints) {}

  void check(const Node& step, const Node* args) {
    const Place place = args == nullptr ? step.place : args->place;
    for (const ArgRule& rule : tool_.args) {
      const Node* value = find(args, rule.name);
      if (value != nullptr) {
        argument(*value, rule.kind, std::string(rule.name));
      } else if (rule.required) {
        complaints_.add(place, "args." + std::string(rule.name) + " is missing: " + std::string(tool_.name) +
                                   " wants " + std::string(wanted(rule.kind)));
      }
    }
    if (args == nullptr) return;
    for (const Entry& entry : args->entries) known(entry);
  }

 private:
  void known(const Entry& entry) {
    std::vector<std::string> names;
    for (const ArgRule& rule : tool_.args) names.emplace_back(rule.name);
    if (std::find(names.begin(), names.end(), entry.key) != names.end()) return;
    const auto near = nearest_word(entry.key, names);
    complaints_.add(entry.place, std::string(tool_.name) + " has no argument " + in_quotes(entry.key) +
                                     (near ? "; did you mean " + *near + "?" : ""));
  }

  void argument(const Node& node, ArgKind kind, const std::string& name) {
    if (node.broken) return;
    if (const auto field = whole_field(node); !field.empty()) {
      uses_.push_back(Use{Use::Kind::argument, node.place, field, kind});
      return;
    }
    if (!is_literal_of(node, kind)) {
      const bool text = kind == ArgKind::text || kind == ArgKind::path;
      complaints_.add(node.place, "args." + name + ": expected " + std::string(wanted(kind)) + ", found " +
                                      describe(node) + (text ? advice_for_text(node) : ""));
      return;
    }
    if (kind == ArgKind::text_list) {
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        argument(*node.items[i], ArgKind::text, name + '.' + std::to_string(i));
      }
    }
    if (kind == ArgKind::text_map) {
      for (const Entry& entry : node.entries) argument(*entry.value, ArgKind::text, name + '.' + entry.key);
    }
  }

  const ToolRule& tool_;
  std::vector<Use>& uses_;
  Complaints& complaints_;
};

void check_step(const Node& step, std::vector<Use>& uses, Complaints& complaints) {
  const Node* name = find(&step, "tool");
  if (name == nullptr || !read_text(*name)) return;
  if (const ToolRule* tool = find_tool(name->text)) {
    const Node* args = find(&step, "args");
    if (args != nullptr && (args->broken || args->kind != NodeKind::map)) return;
    return ArgChecker(*tool, uses, complaints).check(step, args);
  }
  std::vector<std::string> names;
  for (const ToolRule& tool : known_tools()) names.emplace_back(tool.name);
  const auto near = nearest_word(name->text, names);
  complaints.add(name->place,
                 "unknown tool " + in_quotes(name->text) +
                     (near ? "; did you mean " + *near + "?" : "; known are exec, bash, read_file and write_file"));
}

}  // namespace

void check_tool_args(const Node& root, std::vector<Use>& uses, Complaints& complaints) {
  const Node* steps = find(&root, "steps");
  if (steps == nullptr) return;
  for (const NodePtr& step : steps->items) check_step(*step, uses, complaints);
}

}  // namespace berth::jobs
