// SPDX-License-Identifier: Apache-2.0
#include "jobs/template.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "jobs/complaints.hpp"

namespace berth::jobs {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kLiteral = "{{{{";
constexpr std::string_view kNames = "templates are {{item.NAME}}, {{index}}, {{trajectory}} and {{vars.NAME}}";

bool is_name(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string_view after_prefix(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() > prefix.size() ? name.substr(prefix.size()) : std::string_view();
}

std::string braced(std::string_view name) {
  return "{{" + std::string(name) + "}}";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates, std::string_view prefix) {
  const auto near = nearest_word(word, candidates);
  return near ? "; did you mean " + braced(std::string(prefix) + *near) + "?" : "";
}

std::vector<std::string> fields_of(const Json& item) {
  std::vector<std::string> names;
  if (!item.is_object()) return names;
  for (const auto& [name, value] : item.items()) names.push_back(name);
  return names;
}

}  // namespace

OrMessage<Template> Template::parse(std::string_view text) {
  Template parsed;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) parsed.pieces_.push_back(Piece{false, std::exchange(literal, {})});
  };
  while (!text.empty()) {
    const auto open = text.find(kOpen);
    literal += text.substr(0, open);
    if (open == std::string_view::npos) break;
    text.remove_prefix(open);
    if (text.starts_with(kLiteral)) {
      literal += kOpen;
      text.remove_prefix(kLiteral.size());
      continue;
    }
    const auto close = text.find(kClose);
    const std::string_view name = close == std::string_view::npos ? "" : trim(text.substr(2, close - 2));
    if (!is_name(name)) {
      return tl::unexpected(in_quotes(text.substr(0, 20)) + " begins no template; write {{{{ for a literal {{");
    }
    flush();
    parsed.pieces_.push_back(Piece{true, std::string(name)});
    text.remove_prefix(close + kClose.size());
  }
  flush();
  return parsed;
}

bool Template::is_literal() const {
  return pieces_.empty() || (pieces_.size() == 1 && !pieces_.front().is_name);
}

std::string_view Template::sole_item_field() const {
  if (pieces_.size() != 1 || !pieces_.front().is_name) return {};
  return item_field(pieces_.front().text);
}

std::string_view item_field(std::string_view name) {
  return after_prefix(name, "item.");
}
std::string_view var_name(std::string_view name) {
  return after_prefix(name, "vars.");
}

std::string complaint_about_name(std::string_view name, const Job& job) {
  if (name == "index" || name == "trajectory") return {};
  if (!item_field(name).empty()) {
    if (!job.trajectories_from.empty()) return {};
    return braced(name) + " needs trajectories: {from: FILE.jsonl}";
  }
  const std::string_view var = var_name(name);
  if (var.empty()) {
    const auto near = name == "item" ? "" : did_you_mean(name, {"index", "trajectory"}, "");
    return braced(name) + " is unknown" + near + "; " + std::string(kNames);
  }
  if (job.vars.contains(std::string(var))) return {};
  std::vector<std::string> known;
  for (const auto& [key, value] : job.vars) known.push_back(key);
  return braced(name) + " is not set" + did_you_mean(var, known, "vars.") + "; set it under vars: or with --set " +
         std::string(name) + "=VALUE";
}

Values::Values(const Job& job, const Trajectory& trajectory, const Json& item)
    : job_(job), trajectory_(trajectory), item_(item) {}

OrMessage<std::string> Values::named(std::string_view name) const {
  if (auto complaint = complaint_about_name(name, job_); !complaint.empty())
    return tl::unexpected(std::move(complaint));
  if (name == "index") return std::to_string(trajectory_.index);
  if (name == "trajectory") return trajectory_.name;
  if (const auto var = var_name(name); !var.empty()) return job_.vars.at(std::string(var));

  const std::string field(item_field(name));
  const auto found = item_.is_object() ? item_.find(field) : item_.end();
  if (!item_.is_object() || found == item_.end()) {
    return tl::unexpected(braced(name) + ": the item has no field " + in_quotes(field) +
                          did_you_mean(field, fields_of(item_), "item."));
  }
  return found->is_string() ? found->get<std::string>() : dump_json(*found);
}

OrMessage<std::string> Values::text(std::string_view text) const {
  const auto parsed = Template::parse(text);
  if (!parsed) return tl::unexpected(parsed.error());
  std::string out;
  for (const Template::Piece& piece : parsed->pieces()) {
    if (!piece.is_name) {
      out += piece.text;
      continue;
    }
    const auto value = named(piece.text);
    if (!value) return value;
    out += *value;
  }
  return out;
}

OrMessage<Json> Values::value(const std::string& text) const {
  const auto parsed = Template::parse(text);
  if (!parsed) return tl::unexpected(parsed.error());
  auto replaced = this->text(text);
  if (!replaced) return tl::unexpected(std::move(replaced.error()));
  const std::string field(parsed->sole_item_field());
  if (!field.empty()) return item_.at(field);
  return std::move(*replaced);
}

OrMessage<Json> Values::everywhere(const Json& json) const {
  if (json.is_string()) return value(json.get_ref<const std::string&>());
  if (!json.is_structured()) return json;
  Json out = json;
  for (auto& [key, inner] : out.items()) {
    auto replaced = everywhere(inner);
    if (!replaced) return replaced;
    inner = std::move(*replaced);
  }
  return out;
}

}  // namespace berth::jobs
