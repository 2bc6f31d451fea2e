// SPDX-License-Identifier: Apache-2.0
#include "base/spec_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace berth {
namespace {

constexpr std::string_view kCode = "bad_spec";

// Nothing when the value is no string or holds a NUL.
const std::string* plain_text(const Json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text && text->find('\0') == std::string::npos ? text : nullptr;
}

std::string between(std::uint64_t least, std::uint64_t most) {
  return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
}

}  // namespace

SpecReader::SpecReader(const Json& object, std::string prefix, std::optional<Error>& error)
    : object_(object), prefix_(std::move(prefix)), error_(error) {
  if (!object_.is_object() && !error_) error_ = Error{std::string(kCode), "an object is expected", {}};
}

const Json* SpecReader::find(const std::string& key) {
  known_.push_back(key);
  if (error_) return nullptr;
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

void SpecReader::refuse(const std::string& key, std::string_view wanted) {
  if (!error_) error_ = Error{std::string(kCode), prefix_ + key + ": " + std::string(wanted) + " is expected", {}};
}

void SpecReader::integer(const std::string& key, std::uint64_t& to, std::uint64_t least, std::uint64_t most) {
  const Json* value = find(key);
  if (!value) return;
  const auto number = json_uint(*value);
  if (!number || *number < least || *number > most) return refuse(key, between(least, most));
  to = *number;
}

void SpecReader::optional_integer(const std::string& key, std::optional<std::uint64_t>& to, std::uint64_t least,
                                  std::uint64_t most) {
  if (!object_.contains(key)) return known_.push_back(key);
  std::uint64_t number = least;
  integer(key, number, least, most);
  to = number;
}

void SpecReader::number(const std::string& key, double& to, double most) {
  const Json* value = find(key);
  if (!value) return;
  const auto number = json_double(*value);
  if (!number || !(*number > 0) || *number > most) {
    return refuse(key, "a number above 0 and up to " + std::to_string(static_cast<std::uint64_t>(most)));
  }
  to = *number;
}

void SpecReader::optional_number(const std::string& key, std::optional<double>& to, double most) {
  if (!object_.contains(key)) return known_.push_back(key);
  double value = 0;
  number(key, value, most);
  to = value;
}

void SpecReader::text(const std::string& key, std::string& to, const std::function<bool(std::string_view)>& valid,
                      std::string_view wanted) {
  const Json* value = find(key);
  if (!value) return;
  const std::string* text = plain_text(*value);
  if (!text || !valid(*text)) return refuse(key, wanted);
  to = *text;
}

void SpecReader::texts(const std::string& key, std::vector<std::string>& to,
                       const std::function<bool(const std::string&)>& valid, std::string_view wanted) {
  const Json* value = find(key);
  if (!value) return;
  if (!value->is_array()) return refuse(key, "a list");
  std::vector<std::string> items;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const std::string* text = plain_text((*value)[i]);
    if (!text || !valid(*text)) return refuse(key + "[" + std::to_string(i) + "]", wanted);
    items.push_back(*text);
  }
  to = std::move(items);
}

void SpecReader::environment(const std::string& key, std::map<std::string, std::string>& to) {
  const Json* value = find(key);
  if (!value) return;
  if (!value->is_object()) return refuse(key, "an object of names and texts");
  std::map<std::string, std::string> variables;
  for (const auto& [name, content] : value->items()) {
    const std::string* text = plain_text(content);
    const bool good_name = !name.empty() && name.find_first_of(std::string_view("=\0", 2)) == std::string::npos;
    if (!good_name) return refuse(key, "a name without '=' and NUL");
    if (!text) return refuse(key + "." + name, "a text without NUL");
    variables.emplace(name, *text);
  }
  to = std::move(variables);
}

std::optional<SpecReader> SpecReader::object(const std::string& key) {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (value->is_object()) return SpecReader(*value, prefix_ + key + ".", error_);
  refuse(key, "an object");
  return std::nullopt;
}

void SpecReader::refuse_unknown_keys() {
  if (error_) return;
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const auto near = nearest_word(key, known_);
    error_ = Error{std::string(kCode), prefix_ + key + ": unknown key", near ? "did you mean " + *near + "?" : ""};
    return;
  }
}

}  // namespace berth
