// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "jobs/expect.hpp"
#include "jobs/paths.hpp"
#include "jobs/template.hpp"
#include "jobs/trajectories.hpp"
#include "jobs/uses.hpp"

namespace berth::jobs {
namespace {

bool is_text_list(const Json& value) {
  if (!value.is_array() || value.empty()) return false;
  for (const Json& item : value) {
    if (!item.is_string()) return false;
  }
  return true;
}

bool is_text_map(const Json& value) {
  if (!value.is_object()) return false;
  for (const Json& item : value) {
    if (!item.is_string()) return false;
  }
  return true;
}

bool suits(const Json& value, ArgKind kind) {
  switch (kind) {
    case ArgKind::text: return value.is_string();
    case ArgKind::path: return value.is_string() && !value.get_ref<const std::string&>().empty();
    case ArgKind::flag: return value.is_boolean();
    case ArgKind::count: return json_uint(value).has_value();
    case ArgKind::text_list: return is_text_list(value);
    case ArgKind::text_map: return is_text_map(value);
  }
  return false;
}

std::string_view wanted_text(ArgKind kind) {
  switch (kind) {
    case ArgKind::text:
    case ArgKind::path: return "a string";
    case ArgKind::flag: return "true or false";
    case ArgKind::count: return "a whole number";
    case ArgKind::text_list: return "an array of strings";
    case ArgKind::text_map: return "an object of strings";
  }
  return {};
}

std::string from_result(const OrMessage<std::string>& result) {
  return result ? std::string() : result.error();
}

// Why `use` fails for one trajectory; empty when it does not.
std::string complaint_about(const Use& use, const Values& values, const Json& item) {
  if (use.kind == Use::Kind::field) return from_result(values.text("{{item." + use.text + "}}"));
  if (use.kind == Use::Kind::argument) {
    const auto value = item.is_object() ? item.find(use.text) : item.end();
    if (value == item.end() || suits(*value, use.argument)) return {};  // its absence is said by the use of the field
    return "{{item." + use.text + "}}: expected " + std::string(wanted_text(use.argument)) + ", found " +
           value->type_name();
  }
  const auto replaced = values.text(use.text);
  if (!replaced) return {};
  switch (use.kind) {
    case Use::Kind::input_to: return from_result(input_target(use.text, *replaced));
    case Use::Kind::output_from: return from_result(output_source(use.text, *replaced));
    case Use::Kind::output_to: return from_result(output_target(use.text, *replaced));
    default: return complaint_about_pattern(*replaced);
  }
}

std::string whose(const Job& job, const Trajectory& trajectory) {
  return trajectory.line > 0 ? " (" + items_file(job) + ':' + std::to_string(trajectory.line) + ')' : "";
}

}  // namespace

void check_uses(const std::vector<Use>& uses, const Job& job, const std::vector<Trajectory>& trajectories,
                Complaints& complaints) {
  std::vector<const Use*> open;
  for (const Use& use : uses) open.push_back(&use);
  for (const Trajectory& trajectory : trajectories) {
    if (open.empty()) return;
    const auto item = parse_json(trajectory.item, kItemBounds);
    if (!item) continue;  // said while the file was read
    const Values values(job, trajectory, *item);
    std::erase_if(open, [&](const Use* use) {
      auto complaint = complaint_about(*use, values, *item);
      if (complaint.empty()) return false;
      complaints.add(use->place, complaint + whose(job, trajectory));
      return true;
    });
    // Without a file of items only the number and the name differ, and both are harmless in a path.
    if (job.trajectories_from.empty()) return;
  }
}

}  // namespace berth::jobs
