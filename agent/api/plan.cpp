// SPDX-License-Identifier: Apache-2.0
#include "agent/api/plan.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"

namespace berth::agent {
namespace {

// "/slot/memory" -> "slot.memory"
std::string dotted(std::string pointer) {
  pointer.erase(0, 1);
  for (char& c : pointer) {
    if (c == '/') c = '.';
  }
  return pointer;
}

// Changes of these are taken over by the containers that run.
bool is_policy(const std::string& key) {
  return key.rfind("containers.", 0) == 0 || key.rfind("lease.", 0) == 0 || key.rfind("inputs", 0) == 0;
}

// Values of environments may be secrets: whoever applies them knows them, nobody else has to.
Json veil(const Json& value) {
  return value.is_null() ? Json() : Json("(hidden)");
}

Json flat_value(const Json& flat, const std::string& key) {
  const auto found = flat.find(key);
  return found == flat.end() ? Json() : *found;
}

}  // namespace

Json pool_description(const jobs::Job& job) {
  const auto spec = parse_json(container_spec_to_json(jobs::container_spec(job, "any")));
  Json text = spec.value_or(Json::object());
  text.erase("id");
  text["driver"] = jobs::to_string(job.driver);
  text["image"] = job.image;
  text["slots"] = job.slots;
  text["containers"] = Json{{"min", job.containers.min}, {"max", job.containers.max}, {"spare", job.containers.spare}};
  text["lease"] = Json{{"idle", job.lease.idle.count()}, {"ttl", nullptr}};
  if (job.lease.ttl) text["lease"]["ttl"] = job.lease.ttl->count();
  if (job.resources) {
    Json& resources = text["resources"];
    if (job.resources->cpu) resources["cpu"] = *job.resources->cpu;
    if (job.resources->memory_bytes) resources["memory"] = *job.resources->memory_bytes;
    if (job.resources->pids) resources["pids"] = *job.resources->pids;
  }
  text["insecure"] = job.insecure;
  text["inputs"] = Json::array();
  for (const jobs::Input& input : job.inputs) text["inputs"].push_back({{"from", input.from}, {"to", input.to}});
  return text;
}

Json public_description(const jobs::Job& job) {
  Json text = pool_description(job);
  for (auto& [name, value] : text["env"].items()) value = veil(value);
  return text;
}

Json plan_of(const jobs::Job* now, const jobs::Job& wanted) {
  const Json before = now == nullptr ? Json::object() : pool_description(*now).flatten();
  const Json after = pool_description(wanted).flatten();
  std::set<std::string> keys;
  for (const auto& [key, value] : before.items()) keys.insert(key);
  for (const auto& [key, value] : after.items()) keys.insert(key);
  Json changes = Json::array();
  bool replaces = false;
  for (const auto& key : keys) {
    const Json from = flat_value(before, key);
    const Json to = flat_value(after, key);
    if (from == to) continue;
    const auto name = dotted(key);
    const bool hidden = name.rfind("env.", 0) == 0;
    changes.push_back(Json{{"key", name}, {"from", hidden ? veil(from) : from}, {"to", hidden ? veil(to) : to}});
    replaces = replaces || !is_policy(name);
  }
  const char* action = now == nullptr ? "create" : changes.empty() ? "none" : "update";
  return Json{{"job", wanted.name},
              {"action", action},
              {"changes", std::move(changes)},
              {"replaces_containers", now != nullptr && replaces},
              {"notes", wanted.notes}};
}

}  // namespace berth::agent
