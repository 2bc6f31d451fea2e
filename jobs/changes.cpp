// SPDX-License-Identifier: Apache-2.0
#include "jobs/changes.hpp"

#include <array>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace berth::jobs {
namespace {

// What is shown, and what is compared: they differ where a value must not be seen.
struct Value {
  std::string key;
  std::string shown;
  std::string compared;
  bool rebuilds = true;
};

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 4> kUnits{
      {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
  for (const auto& [unit, bits] : kUnits)
    if (bytes != 0 && bytes % (std::uint64_t{1} << bits) == 0) return fmt::format("{}{}", bytes >> bits, unit);
  return fmt::format("{}B", bytes);
}

template <typename Number>
std::string text_or_none(const std::optional<Number>& value) {
  return value ? fmt::format("{}", *value) : "none";
}
std::string size_or_none(const std::optional<std::uint64_t>& bytes) {
  return bytes ? size_text(*bytes) : "none";
}
std::string seconds_or_none(const std::optional<Seconds>& time) {
  return time ? fmt::format("{}s", time->count()) : "none";
}

std::string commands_text(const std::vector<std::string>& commands) {
  return fmt::format("{} command{}", commands.size(), commands.size() == 1 ? "" : "s");
}

class Values {
 public:
  explicit Values(const Job& job) {
    add("driver", std::string(to_string(job.driver)));
    add("image", job.image);
    add("rootfs", job.rootfs);
    add("containers.min", std::to_string(job.containers.min), false);
    add("containers.max", std::to_string(job.containers.max), false);
    add("containers.spare", std::to_string(job.containers.spare), false);
    add("slots", std::to_string(job.slots));
    add_resources(job);
    add_slot(job);
    add("isolation", std::string(to_string(job.isolation)));
    for (const auto& [name, value] : job.env) values_.push_back({"env." + name, "(not shown)", value, true});
    add_setup(job);
    add("lease.ttl", seconds_or_none(job.lease.ttl), false);
    add("lease.idle", seconds_or_none(job.lease.idle), false);
    add("insecure", job.insecure ? "true" : "false");
  }

  [[nodiscard]] const std::vector<Value>& all() const { return values_; }

 private:
  void add(std::string key, std::string text, bool rebuilds = true) {
    values_.push_back({std::move(key), text, text, rebuilds});
  }

  void add_resources(const Job& job) {
    const Resources none;
    const Resources& wanted = job.resources ? *job.resources : none;
    add("resources.cpu", text_or_none(wanted.cpu));
    add("resources.memory", size_or_none(wanted.memory_bytes));
    add("resources.pids", text_or_none(wanted.pids));
  }

  void add_slot(const Job& job) {
    add("slot.cpu", text_or_none(job.slot.cpu));
    add("slot.memory", size_text(job.slot.memory_bytes));
    add("slot.pids", std::to_string(job.slot.pids));
    add("slot.disk", size_text(job.slot.disk_bytes));
    add("slot.network", std::string(to_string(job.slot.network)));
    add("slot.storage", std::string(to_string(job.slot.storage)));
    add("slot.output_kill", size_or_none(job.slot.output_kill_bytes));
    // A limit that the file names is enforced under strict, the same one by default is not (wire.md 2.5).
    std::string named;
    for (const std::string& limit : job.named_limits) named += (named.empty() ? "" : ", ") + limit;
    add("limits named", named);
  }

  void add_setup(const Job& job) {
    std::string whole;
    for (const std::string& command : job.setup) whole += command + '\n';
    values_.push_back({"setup", commands_text(job.setup), whole, true});
  }

  std::vector<Value> values_;
};

}  // namespace

std::vector<Change> changes(const Job& before, const Job& after) {
  const Values old_values(before);
  const Values new_values(after);
  std::map<std::string, const Value*> old_by_key;
  for (const Value& each : old_values.all()) old_by_key.emplace(each.key, &each);
  std::vector<Change> found;
  for (const Value& each : new_values.all()) {
    const auto node = old_by_key.extract(each.key);
    const Value* old = node.empty() ? nullptr : node.mapped();
    if (old == nullptr) found.push_back({each.key, "", each.shown, each.rebuilds});
    if (old != nullptr && old->compared != each.compared)
      found.push_back({each.key, old->shown, each.shown, each.rebuilds});
  }
  for (const auto& [key, old] : old_by_key) found.push_back({key, old->shown, "", old->rebuilds});
  return found;
}

std::string to_string(const Change& change) {
  const auto shown = [](const std::string& text) { return text.empty() ? std::string("none") : text; };
  return change.key + ": " + shown(change.before) + " -> " + shown(change.after);
}

}  // namespace berth::jobs
