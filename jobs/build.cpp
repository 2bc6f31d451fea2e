// SPDX-License-Identifier: Apache-2.0
#include "jobs/build.hpp"

#include <nlohmann/json.hpp>

#include "base/allow_list.hpp"
#include "base/json.hpp"
#include "base/names.hpp"
#include "jobs/scalar.hpp"

namespace berth::jobs {
namespace {

constexpr EnumNames<DriverKind, 3> kDrivers{
    {{DriverKind::local, "local"}, {DriverKind::docker, "docker"}, {DriverKind::nomad, "nomad"}}};

// Each sets `out` when the key is there with a value of the right kind, and leaves it otherwise.
void take(const Node* map, std::string_view key, std::string& out) {
  const Node* node = find(map, key);
  if (auto value = node == nullptr ? std::nullopt : read_text(*node)) out = std::move(*value);
}
void take(const Node* map, std::string_view key, bool& out) {
  const Node* node = find(map, key);
  if (const auto value = node == nullptr ? std::nullopt : read_flag(*node)) out = *value;
}
void take(const Node* map, std::string_view key, unsigned& out) {
  const Node* node = find(map, key);
  const auto value = node == nullptr ? std::nullopt : read_integer(*node);
  if (value && *value <= 0xFFFFFFFFU) out = static_cast<unsigned>(*value);
}
template <typename Count>
void take_count(const Node* map, std::string_view key, Count& out) {
  const Node* node = find(map, key);
  if (const auto value = node == nullptr ? std::nullopt : read_integer(*node)) out = *value;
}
template <typename Bytes>
void take_size(const Node* map, std::string_view key, Bytes& out) {
  const Node* node = find(map, key);
  if (const auto value = node == nullptr ? std::nullopt : read_size(*node)) out = *value;
}
void take(const Node* map, std::string_view key, std::optional<double>& out) {
  const Node* node = find(map, key);
  if (const auto value = node == nullptr ? std::nullopt : read_number(*node)) out = *value;
}
template <typename Duration>
void take_duration(const Node* map, std::string_view key, Duration& out) {
  const Node* node = find(map, key);
  if (const auto value = node == nullptr ? std::nullopt : read_duration(*node)) out = *value;
}
template <typename Value>
void take_word(const Node* map, std::string_view key, Value& out, std::optional<Value> (*read)(std::string_view)) {
  const Node* node = find(map, key);
  if (node == nullptr || node->kind != NodeKind::scalar) return;
  if (const auto value = read(node->text)) out = *value;
}
void take(const Node* map, std::string_view key, std::map<std::string, std::string>& out) {
  const Node* node = find(map, key);
  if (node == nullptr) return;
  for (const Entry& entry : node->entries) {
    if (auto value = read_scalar(*entry.value)) out[entry.key] = std::move(*value);
  }
}
void take_scalar(const Node* map, std::string_view key, std::optional<std::string>& out) {
  const Node* node = find(map, key);
  if (node != nullptr) out = read_scalar(*node);
}

const std::vector<NodePtr>& items(const Node* map, std::string_view key) {
  static const std::vector<NodePtr> none;
  const Node* node = find(map, key);
  return node == nullptr ? none : node->items;
}

// Patterns that check_rules() complains about are left out.
void build_network(const Node* slot, SlotSpec& spec) {
  take_word(slot, "network", spec.network, network_mode_from_string);
  const Node* allow = find(find(slot, "network"), "allow");
  if (allow == nullptr) return;
  spec.network = NetworkMode::allow;
  for (const NodePtr& node : allow->items) {
    const auto pattern = parse_allow_pattern(read_text(*node).value_or(""));
    if (pattern) spec.allow.push_back(to_string(*pattern));
  }
}

void build_slot(const Node* slot, Job& job) {
  take(slot, "cpu", job.slot.cpu);
  take_size(slot, "memory", job.slot.memory_bytes);
  take_count(slot, "pids", job.slot.pids);
  take_size(slot, "disk", job.slot.disk_bytes);
  build_network(slot, job.slot);
  take_word(slot, "storage", job.slot.storage, storage_mode_from_string);
  take_size(slot, "output_kill", job.slot.output_kill_bytes);
  for (const char* limit : {"cpu", "memory", "pids", "disk"}) {
    const Node* named = find(slot, limit);
    if (named != nullptr && !is_none(named)) job.named_limits.emplace_back(limit);
  }
}

void build_container(const Node& root, Job& job) {
  const Node* containers = find(&root, "containers");
  take(containers, "min", job.containers.min);
  take(containers, "max", job.containers.max);
  take(containers, "spare", job.containers.spare);
  take(&root, "slots", job.slots);
  const Node* resources = find(&root, "resources");
  if (resources == nullptr || resources->kind != NodeKind::map) return;
  job.resources.emplace();
  take(resources, "cpu", job.resources->cpu);
  take_size(resources, "memory", job.resources->memory_bytes);
  take_count(resources, "pids", job.resources->pids);
}

void build_files(const Node& root, Job& job) {
  for (const NodePtr& node : items(&root, "setup")) {
    if (auto command = read_text(*node)) job.setup.push_back(std::move(*command));
  }
  for (const NodePtr& node : items(&root, "inputs")) {
    Input& input = job.inputs.emplace_back();
    take(node.get(), "from", input.from);
    take(node.get(), "to", input.to);
    input.at = node->place.at;
  }
  for (const NodePtr& node : items(&root, "outputs")) {
    Output& output = job.outputs.emplace_back();
    take(node.get(), "from", output.from);
    take(node.get(), "to", output.to);
    take(node.get(), "required", output.required);
    output.at = node->place.at;
  }
}

std::optional<Expectation> build_expectation(const Node* node) {
  if (node == nullptr || node->kind != NodeKind::map) return std::nullopt;
  Expectation expectation;
  take_scalar(node, "output", expectation.output);
  take_scalar(node, "contains", expectation.contains);
  take_scalar(node, "matches", expectation.matches);
  if (const Node* code = find(node, "exit_code")) {
    if (const auto value = read_integer(*code); value && *value <= 255)
      expectation.exit_code = static_cast<int>(*value);
  }
  return expectation;
}

Step build_step(const Node& node, Complaints& complaints) {
  Step step;
  take(&node, "name", step.name);
  take(&node, "tool", step.tool);
  const Node* args = find(&node, "args");
  if (args != nullptr && args->kind == NodeKind::map) step.args = dump_json(to_json(*args, complaints));
  take(&node, "env", step.env);
  take_duration(&node, "timeout", step.timeout);
  step.expect = build_expectation(find(&node, "expect"));
  take(&node, "continue", step.continue_after_failure);
  step.at = node.place.at;
  return step;
}

}  // namespace

std::string_view to_string(DriverKind kind) {
  return name_of(kDrivers, kind);
}

void build_job(const Node& root, Job& job, Complaints& complaints) {
  take(&root, "job", job.name);
  take_word<DriverKind>(&root, "driver", job.driver, [](std::string_view text) { return value_of(kDrivers, text); });
  take(&root, "image", job.image);
  take(&root, "rootfs", job.rootfs);
  build_container(root, job);
  build_slot(find(&root, "slot"), job);
  take_word(&root, "isolation", job.isolation, isolation_level_from_string);
  take(&root, "env", job.env);
  build_files(root, job);
  const Node* lease = find(&root, "lease");
  take_duration(lease, "ttl", job.lease.ttl);
  take_duration(lease, "idle", job.lease.idle);
  take(&root, "vars", job.vars);
  take_count(&root, "trajectories", job.trajectory_count);
  take(find(&root, "trajectories"), "from", job.trajectories_from);
  for (const NodePtr& node : items(&root, "steps")) job.steps.push_back(build_step(*node, complaints));
  take(find(&root, "docker"), "network", job.docker_network);
  take(&root, "insecure", job.insecure);
}

}  // namespace berth::jobs
