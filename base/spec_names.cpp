// SPDX-License-Identifier: Apache-2.0
#include "base/names.hpp"
#include "berth/container_spec.hpp"

namespace berth {
namespace {

constexpr EnumNames<IsolationLevel, 3> kLevels{
    {{IsolationLevel::strict, "strict"}, {IsolationLevel::best_effort, "best-effort"}, {IsolationLevel::none, "none"}}};
constexpr EnumNames<NetworkMode, 3> kNetworks{
    {{NetworkMode::none, "none"}, {NetworkMode::full, "full"}, {NetworkMode::allow, "allow"}}};
constexpr EnumNames<StorageMode, 2> kStorages{{{StorageMode::memory, "memory"}, {StorageMode::host, "host"}}};
constexpr EnumNames<RootMode, 2> kRoots{{{RootMode::machine, "machine"}, {RootMode::container, "container"}}};

}  // namespace

std::string_view to_string(IsolationLevel level) {
  return name_of(kLevels, level);
}
std::string_view to_string(NetworkMode mode) {
  return name_of(kNetworks, mode);
}
std::string_view to_string(StorageMode mode) {
  return name_of(kStorages, mode);
}
std::string_view to_string(RootMode mode) {
  return name_of(kRoots, mode);
}

std::optional<IsolationLevel> isolation_level_from_string(std::string_view text) {
  return value_of(kLevels, text);
}
std::optional<NetworkMode> network_mode_from_string(std::string_view text) {
  return value_of(kNetworks, text);
}
std::optional<StorageMode> storage_mode_from_string(std::string_view text) {
  return value_of(kStorages, text);
}
std::optional<RootMode> root_mode_from_string(std::string_view text) {
  return value_of(kRoots, text);
}

}  // namespace berth
