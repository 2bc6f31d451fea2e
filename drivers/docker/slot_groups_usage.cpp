// SPDX-License-Identifier: Apache-2.0
// What the processes of a container's groups use, as the kernel counts it (version 1).
#include <algorithm>
#include <charconv>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "drivers/docker/slot_groups.hpp"

namespace berth::drivers::docker {
namespace {

constexpr std::size_t kMostNumbers = std::size_t{64} << 10;

std::optional<std::uint64_t> to_number(std::string_view text) {
  text = trim(text);
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> number_in(const std::string& file) {
  const auto text = read_file(file, kMostNumbers);
  return text ? to_number(*text) : std::nullopt;
}

std::optional<std::uint64_t> number_named(const std::string& file, std::string_view name) {
  const auto text = read_file(file, kMostNumbers);
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with(name) && line.substr(name.size()).starts_with(' ')) return to_number(line.substr(name.size()));
  }
  return std::nullopt;
}

}  // namespace

Usage SlotGroups::usage() const {
  Usage usage;
  for (const Hierarchy& each : hierarchies_) {
    const std::string group = each.folder + parent();
    const auto has = [&each](std::string_view name) {
      return std::find(each.controllers.begin(), each.controllers.end(), name) != each.controllers.end();
    };
    if (has("cpuacct"))
      if (const auto time = number_in(group + "/cpuacct.usage")) usage.cpu_seconds = static_cast<double>(*time) / 1e9;
    if (has("pids")) usage.pids = number_in(group + "/pids.current");
    if (!has("memory")) continue;
    usage.memory_bytes = number_in(group + "/memory.usage_in_bytes");
    const std::uint64_t idle = number_named(group + "/memory.stat", "total_inactive_file").value_or(0);
    if (usage.memory_bytes) *usage.memory_bytes -= std::min(*usage.memory_bytes, idle);
  }
  return usage;
}

}  // namespace berth::drivers::docker
