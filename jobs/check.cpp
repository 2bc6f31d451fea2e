// SPDX-License-Identifier: Apache-2.0
#include "jobs/check.hpp"

#include <algorithm>
#include <re2/re2.h>

#include "base/text.hpp"
#include "jobs/scalar.hpp"

namespace berth::jobs {
namespace {

class Checker {
 public:
  explicit Checker(Complaints& complaints) : complaints_(complaints) {}

  void object(const Node& node, const ObjectRule& rule, const std::string& path);

 private:
  void unknown_key(const Entry& entry, const ObjectRule& rule, const std::string& path);
  void value(const Node& node, const KeyRule& rule, const std::string& path);
  [[nodiscard]] bool accepts(const Node& node, const KeyRule& rule);
  void inside(const Node& node, const KeyRule& rule, const std::string& path);
  void scalar_map(const Node& node, const KeyRule& rule, const std::string& path);
  void text_list(const Node& node, const std::string& path);
  void wrong(const Node& node, const std::string& path, const std::string& wanted, const std::string& advice);

  Complaints& complaints_;
};

std::string below(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + '.' + std::string(key);
}

bool in_range(double value, Range range) {
  return value >= range.min && value <= range.max;
}

bool is_word_of(const Node& node, const KeyRule& rule) {
  return node.kind == NodeKind::scalar &&
         std::find(rule.words.begin(), rule.words.end(), node.text) != rule.words.end();
}

bool text_fits(const Node& node, const KeyRule& rule) {
  const auto text = read_text(node);
  if (!text || text->empty()) return false;
  return rule.pattern.empty() || RE2::FullMatch(*text, re2::StringPiece(rule.pattern.data(), rule.pattern.size()));
}

std::string missing_unit(const Node& node, std::string_view example) {
  const bool number = node.kind == NodeKind::scalar && !node.text.empty() &&
                      node.text.find_first_not_of("0123456789.") == std::string::npos;
  return number ? "; the unit is missing: " + node.text + std::string(example) : "";
}

std::string advice(const Node& node, const KeyRule& rule) {
  switch (rule.shape) {
    case Shape::text: return node.text.empty() || read_text(node) ? "" : advice_for_text(node);
    case Shape::flag: return advice_for_flag(node);
    case Shape::integer:
    case Shape::number: return advice_for_number(node);
    case Shape::size: return missing_unit(node, "MiB");
    case Shape::duration: return missing_unit(node, "s");
    case Shape::word: {
      if (node.kind != NodeKind::scalar) return {};
      const auto near = nearest_word(node.text, {rule.words.begin(), rule.words.end()});
      return near ? "; did you mean " + *near + "?" : "";
    }
    default: return {};
  }
}

void Checker::wrong(const Node& node, const std::string& path, const std::string& wanted, const std::string& advice) {
  complaints_.add(node.place, path + ": expected " + wanted + ", found " + describe(node) + advice);
}

void Checker::object(const Node& node, const ObjectRule& rule, const std::string& path) {
  for (const Entry& entry : node.entries) {
    const auto known = std::find_if(rule.keys.begin(), rule.keys.end(),
                                    [&](const KeyRule& candidate) { return candidate.key == entry.key; });
    if (known == rule.keys.end()) {
      unknown_key(entry, rule, path);
    } else {
      value(*entry.value, *known, below(path, entry.key));
    }
  }
  for (const KeyRule& key : rule.keys) {
    if (key.required && find(&node, key.key) == nullptr) {
      complaints_.add(node.place, below(path, key.key) + " is missing: " + expected(key));
    }
  }
}

void Checker::unknown_key(const Entry& entry, const ObjectRule& rule, const std::string& path) {
  std::vector<std::string> known;
  for (const KeyRule& key : rule.keys) known.emplace_back(key.key);
  std::string message = "unknown key " + in_quotes(entry.key);
  if (!path.empty()) message += " in " + path;
  if (const auto near = nearest_word(entry.key, known)) {
    message += "; did you mean " + *near + "?";
  } else {
    message += "; known are ";
    for (std::size_t i = 0; i < known.size(); ++i) message += (i > 0 ? ", " : "") + known[i];
  }
  complaints_.add(entry.place, std::move(message));
}

void Checker::value(const Node& node, const KeyRule& rule, const std::string& path) {
  if (node.broken || (rule.none && is_none(&node))) return;
  if (rule.refuse != nullptr) {
    if (const auto sentence = rule.refuse(node); !sentence.empty()) {
      complaints_.add(node.place, path + ": " + std::string(sentence));
      return;
    }
  }
  if (rule.object != nullptr && node.kind == NodeKind::map) {
    if (rule.shape == Shape::object || rule.shape == Shape::integer || rule.shape == Shape::word)
      return object(node, *rule.object, path);
  }
  if (!accepts(node, rule)) return wrong(node, path, expected(rule), advice(node, rule));
  inside(node, rule, path);
}

bool Checker::accepts(const Node& node, const KeyRule& rule) {
  switch (rule.shape) {
    case Shape::text: return text_fits(node, rule);
    case Shape::scalar: return node.kind == NodeKind::scalar;
    case Shape::flag: return read_flag(node).has_value();
    case Shape::integer: {
      const auto number = read_signed(node);
      return number && in_range(static_cast<double>(*number), rule.range);
    }
    case Shape::number: {
      const auto number = read_number(node);
      return number && in_range(*number, rule.range);
    }
    case Shape::size: {
      const auto size = read_size(node);
      return size && in_range(static_cast<double>(*size), rule.range);
    }
    case Shape::duration: {
      const auto duration = read_duration(node);
      return duration && in_range(duration->count(), rule.range);
    }
    case Shape::word: return is_word_of(node, rule);
    case Shape::scalar_map:
    case Shape::json_map: return node.kind == NodeKind::map;
    case Shape::object: return false;
    case Shape::text_list:
    case Shape::object_list:
    case Shape::empty_list: return node.kind == NodeKind::list;
  }
  return false;
}

void Checker::inside(const Node& node, const KeyRule& rule, const std::string& path) {
  if (rule.shape == Shape::scalar_map) return scalar_map(node, rule, path);
  if (rule.shape == Shape::text_list) return text_list(node, path);
  if (rule.shape != Shape::object_list) return;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& item = *node.items[i];
    const std::string item_path = below(path, std::to_string(i));
    if (item.broken) continue;
    if (item.kind == NodeKind::map) {
      object(item, *rule.object, item_path);
    } else {
      wrong(item, item_path, "a map", "");
    }
  }
}

void Checker::scalar_map(const Node& node, const KeyRule& rule, const std::string& path) {
  const RE2 pattern(re2::StringPiece(rule.pattern.data(), rule.pattern.size()));
  for (const Entry& entry : node.entries) {
    if (!RE2::FullMatch(entry.key, pattern)) {
      complaints_.add(entry.place,
                      path + ": " + in_quotes(entry.key) + " is no name: " + std::string(rule.pattern_in_words));
    }
    const Node& value = *entry.value;
    if (!value.broken && value.kind != NodeKind::scalar) wrong(value, below(path, entry.key), "text or a number", "");
  }
}

void Checker::text_list(const Node& node, const std::string& path) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& item = *node.items[i];
    if (item.broken || !read_text(item).value_or("").empty()) continue;
    wrong(item, below(path, std::to_string(i)), "text", advice_for_text(item));
  }
}

}  // namespace

void check_keys(const Node& root, const ObjectRule& rule, std::string_view what, Complaints& complaints) {
  if (root.broken) return;
  if (root.kind != NodeKind::map) {
    complaints.add(root.place, std::string(what) + "; this is " + describe(root));
    return;
  }
  Checker(complaints).object(root, rule, "");
}

void check_job(const Node& root, Complaints& complaints) {
  check_keys(root, job_rule(), "a job file is a map of keys such as job, slots and steps", complaints);
}

}  // namespace berth::jobs
