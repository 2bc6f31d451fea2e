// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_places.hpp"

#include <algorithm>
#include <optional>

#include "base/mounts.hpp"
#include "base/text.hpp"

namespace berth::isolation {
namespace {

constexpr std::string_view kControllers[] = {"memory", "pids", "cpu", "cpuacct"};
constexpr std::string_view kDelegatedName = "/slots";

bool contains(const std::vector<std::string_view>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// This process's path in the hierarchy of `controller` ("" for v2).
std::optional<std::string> own_path(std::string_view self_cgroup, std::string_view controller) {
  for (auto line : split(self_cgroup, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const auto names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : contains(split(names, ','), controller)) {
      return std::string(line.substr(second + 1));
    }
  }
  return std::nullopt;
}

// The directory of `path` under a mount that shows the hierarchy from `root` on.
std::optional<std::string> directory_of(const Mount& mount, const std::string& path) {
  if (mount.root == "/") return path == "/" ? mount.point : mount.point + path;
  if (path == mount.root) return mount.point;
  if (path.starts_with(mount.root + "/")) return mount.point + path.substr(mount.root.size());
  return std::nullopt;
}

bool is_delegated(const Mount& mount, const std::vector<std::string>& below) {
  return mount.root.ends_with(kDelegatedName) &&
         std::any_of(below.begin(), below.end(),
                     [&](const std::string& prefix) { return mount.point.starts_with(prefix); });
}

std::optional<GroupPlace> place_in(const Mount& mount, const std::optional<std::string>& path,
                                   const std::vector<std::string>& delegated_below) {
  GroupPlace place{.directory = {}, .mount_point = mount.point, .controllers = {}, .delegated = false};
  if (is_delegated(mount, delegated_below)) {
    place.directory = mount.point;
    place.delegated = true;
    return place;
  }
  auto directory = path ? directory_of(mount, *path) : std::nullopt;
  if (!directory) return std::nullopt;
  place.directory = *directory;
  return place;
}

std::vector<std::string> controllers_of(const Mount& mount) {
  std::vector<std::string> found;
  const auto options = split(mount.options, ',');
  for (auto name : kControllers) {
    if (contains(options, name)) found.emplace_back(name);
  }
  return found;
}

// Keeps one place for each set of controllers; a delegated one beats another.
void keep(std::vector<GroupPlace>& places, GroupPlace place) {
  const auto same = std::find_if(places.begin(), places.end(),
                                 [&](const GroupPlace& other) { return other.controllers == place.controllers; });
  if (same == places.end()) {
    places.push_back(std::move(place));
  } else if (place.delegated && !same->delegated) {
    *same = std::move(place);
  }
}

}  // namespace

const std::vector<std::string>& delegation_points() {
  static const std::vector<std::string> points = {"/sys/fs/cgroup", "/.berth/groups/"};
  return points;
}

std::vector<GroupPlace> find_v1_places(std::string_view self_cgroup, std::string_view mountinfo,
                                       const std::vector<std::string>& delegated_below) {
  std::vector<GroupPlace> places;
  for (const auto& mount : parse_mounts(mountinfo)) {
    if (mount.type != "cgroup") continue;
    auto controllers = controllers_of(mount);
    if (controllers.empty()) continue;
    auto place = place_in(mount, own_path(self_cgroup, controllers.front()), delegated_below);
    if (!place) continue;
    place->controllers = std::move(controllers);
    keep(places, std::move(*place));
  }
  return places;
}

std::vector<GroupPlace> find_v2_places(std::string_view self_cgroup, std::string_view mountinfo,
                                       const std::vector<std::string>& delegated_below) {
  std::vector<GroupPlace> places;
  for (const auto& mount : parse_mounts(mountinfo)) {
    if (mount.type != "cgroup2") continue;
    if (auto place = place_in(mount, own_path(self_cgroup, ""), delegated_below)) keep(places, std::move(*place));
  }
  return places;
}

}  // namespace berth::isolation
