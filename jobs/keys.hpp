// SPDX-License-Identifier: Apache-2.0
// The table of keys a job file may have: validation, "did you mean" and the JSON schema all read this one table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jobs/tree.hpp"

namespace berth::jobs {

enum class Shape : unsigned char {
  text,    // see read_text
  scalar,  // see read_scalar
  flag,
  integer,   // within range
  number,    // within range
  size,      // range in bytes
  duration,  // range in seconds
  word,      // one of words
  text_list,
  scalar_map,   // pattern: of its keys
  object,       // object: its keys
  object_list,  // object: the keys of each
  json_map,     // any values below
  empty_list,
};

struct Range {
  double min = 0;
  double max = 0;
};

struct ObjectRule;

struct KeyRule {
  std::string_view key;
  Shape shape = Shape::text;
  std::string_view about;  // a sentence for whoever hovers over the key in an editor
  bool required = false;
  bool none = false;  // the word `none` is accepted too
  Range range{};
  std::vector<std::string_view> words{};
  std::string_view pattern{};  // RE2 and ECMA alike, without anchors
  std::string_view pattern_in_words{};
  const ObjectRule* object = nullptr;  // beside another shape: a map is accepted too
  std::string_view default_json{};     // for the schema; empty: no default
  // A value that is understood and refused with a sentence of its own; empty: not refused.
  std::string_view (*refuse)(const Node& value) = nullptr;
};

struct ObjectRule {
  std::vector<KeyRule> keys;
};

// The whole file.
[[nodiscard]] const ObjectRule& job_rule();

// "a whole number from 1 to 1000", "none or a size from 4MiB to 1TiB, for example 512MiB"
[[nodiscard]] std::string expected(const KeyRule& rule);

}  // namespace berth::jobs
