// SPDX-License-Identifier: Apache-2.0
#include "berth/container_spec.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/allow_list.hpp"
#include "base/json.hpp"
#include "base/spec_reader.hpp"

namespace berth {
namespace {

constexpr std::uint64_t kMaxSlots = 1000;
constexpr std::uint64_t kMaxPids = std::uint64_t{1} << 22;  // the kernel's own limit
constexpr std::uint64_t kMinMemory = std::uint64_t{1} << 20;
constexpr std::uint64_t kMinDisk = std::uint64_t{64} << 10;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 50;
constexpr double kMaxCores = 4096;
constexpr double kMaxTimeoutSeconds = 7 * 86400;
constexpr std::size_t kMaxId = 63;
constexpr std::size_t kMaxUser = 256;

const std::vector<std::string> kLimitNames{"cpu", "memory", "pids", "disk"};

bool is_container_id(std::string_view text) {
  if (text.empty() || text.size() > kMaxId) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_assignment(const std::string& text) {
  const auto sign = text.find('=');
  return sign != std::string::npos && sign > 0;
}

bool is_limit_name(const std::string& name) {
  return std::find(kLimitNames.begin(), kLimitNames.end(), name) != kLimitNames.end();
}

bool is_allow_pattern(const std::string& text) {
  return parse_allow_pattern(text).has_value();
}

void read_slot(SpecReader reader, SlotSpec& slot) {
  reader.optional_number("cpu", slot.cpu, kMaxCores);
  reader.integer("memory_bytes", slot.memory_bytes, kMinMemory, kMaxBytes);
  reader.integer("pids", slot.pids, 1, kMaxPids);
  reader.integer("disk_bytes", slot.disk_bytes, kMinDisk, kMaxBytes);
  reader.choice("network", slot.network, network_mode_from_string, "none, full or allow");
  reader.texts("allow", slot.allow, is_allow_pattern, "a name, *.NAME or an address, with or without :PORT");
  reader.choice("storage", slot.storage, storage_mode_from_string, "memory or host");
  reader.optional_integer("output_kill_bytes", slot.output_kill_bytes, 1, kMaxBytes);
  reader.refuse_unknown_keys();
}

void read_spec(SpecReader& reader, ContainerSpec& spec) {
  reader.text("id", spec.id, is_container_id, "1 to 63 of a-z, 0-9 and -");
  std::uint64_t slots = spec.slots;
  reader.integer("slots", slots, 1, kMaxSlots);
  spec.slots = static_cast<unsigned>(slots);
  if (auto slot = reader.object("slot")) read_slot(*slot, spec.slot);
  reader.choice("isolation", spec.isolation, isolation_level_from_string, "strict, best-effort or none");
  reader.texts("named_limits", spec.named_limits, is_limit_name, "cpu, memory, pids or disk");
  reader.environment("env", spec.env);
  reader.texts(
      "setup", spec.setup, [](const std::string& line) { return !line.empty(); }, "a command");
  reader.text(
      "rootfs", spec.rootfs, [](std::string_view path) { return path.empty() || path.front() == '/'; },
      "an absolute path");
  reader.choice("root", spec.root, root_mode_from_string, "machine or container");
  reader.text(
      "user", spec.user, [](std::string_view user) { return user.size() <= kMaxUser; }, "USER or USER:GROUP");
  reader.texts("image_env", spec.image_env, is_assignment, "NAME=VALUE");
  reader.number("max_timeout_seconds", spec.max_timeout_seconds, kMaxTimeoutSeconds);
  reader.texts(
      "measures_off", spec.measures_off, [](const std::string& name) { return !name.empty(); },
      "the name of a measure");
  reader.refuse_unknown_keys();
}

Json slot_to_json(const SlotSpec& slot) {
  Json out{{"memory_bytes", slot.memory_bytes},
           {"pids", slot.pids},
           {"disk_bytes", slot.disk_bytes},
           {"network", to_string(slot.network)},
           {"storage", to_string(slot.storage)}};
  if (!slot.allow.empty()) out["allow"] = slot.allow;
  if (slot.cpu) out["cpu"] = *slot.cpu;
  if (slot.output_kill_bytes) out["output_kill_bytes"] = *slot.output_kill_bytes;
  return out;
}

}  // namespace

Expected<ContainerSpec> container_spec_from_json(std::string_view text) {
  const auto document = parse_json(text);
  if (!document) return tl::unexpected(document.error().within("container specification"));
  std::optional<Error> error;
  ContainerSpec spec;
  SpecReader reader(*document, "", error);
  read_spec(reader, spec);
  if (!error && spec.isolation == IsolationLevel::strict && !spec.measures_off.empty()) {
    return fail("bad_spec", "measures_off: strict isolation leaves no measure out", "set isolation to best-effort");
  }
  if (error) return tl::unexpected(*std::move(error));
  const bool lists = !spec.slot.allow.empty();
  if (lists != (spec.slot.network == NetworkMode::allow) || spec.slot.allow.size() > kMostAllowed) {
    return fail("bad_spec", "slot.network: allow goes with 1 to " + std::to_string(kMostAllowed) +
                                " entries of slot.allow, and only it does");
  }
  return spec;
}

std::string container_spec_to_json(const ContainerSpec& spec) {
  return dump_json(Json{{"id", spec.id},
                        {"slots", spec.slots},
                        {"slot", slot_to_json(spec.slot)},
                        {"isolation", to_string(spec.isolation)},
                        {"named_limits", spec.named_limits},
                        {"env", spec.env},
                        {"setup", spec.setup},
                        {"root", to_string(spec.root)},
                        {"rootfs", spec.rootfs},
                        {"user", spec.user},
                        {"image_env", spec.image_env},
                        {"max_timeout_seconds", spec.max_timeout_seconds},
                        {"measures_off", spec.measures_off}});
}

}  // namespace berth
