// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/slot_groups.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <set>

#include "base/fd.hpp"
#include "base/held_directory.hpp"
#include "base/mounts.hpp"
#include "base/text.hpp"

namespace berth::drivers::docker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUseful[] = {"memory", "pids", "cpu", "cpuacct"};
constexpr std::string_view kFamily = "/berth";
constexpr long kCpuPeriod = 100'000;  // microseconds
constexpr std::size_t kMostMounts = std::size_t{4} << 20;
constexpr int kMakeTries = 100;
constexpr timespec kMoment{0, 1'000'000};

bool is_useful(const Hierarchy& hierarchy) {
  return std::any_of(hierarchy.controllers.begin(), hierarchy.controllers.end(), [](const std::string& each) {
    return std::find(std::begin(kUseful), std::end(kUseful), each) != std::end(kUseful);
  });
}

bool controls(const Hierarchy& hierarchy, std::string_view name) {
  return std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(), name) != hierarchy.controllers.end();
}

void wait_a_moment() {
  ::nanosleep(&kMoment, nullptr);
}

bool make_folder(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

bool set(const std::string& file, const std::string& value) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && write_all(fd.get(), value).has_value();
}

bool set_limits(const Hierarchy& hierarchy, const std::string& group, const Wanted& limits) {
  bool done = true;
  if (limits.memory_bytes && controls(hierarchy, "memory"))
    done = done && set(group + "/memory.limit_in_bytes", std::to_string(*limits.memory_bytes));
  if (limits.pids && controls(hierarchy, "pids")) done = done && set(group + "/pids.max", std::to_string(*limits.pids));
  if (limits.cpu && controls(hierarchy, "cpu")) {
    const long quota = std::max(1000L, std::lround(*limits.cpu * static_cast<double>(kCpuPeriod)));
    done = done && set(group + "/cpu.cfs_period_us", std::to_string(kCpuPeriod)) &&
           set(group + "/cpu.cfs_quota_us", std::to_string(quota));
  }
  return done;
}

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    std::error_code ignored;
    if (entry.symlink_status(ignored).type() == fs::file_type::directory) folders.push_back(entry.path().string());
  }
  return folders;
}

// Groups have files that cannot be removed, and go when they have no group below them and no process.
bool remove_group(const std::string& path) {
  for (const std::string& below : folders_in(path)) remove_group(below);
  return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

struct HeldGroup {
  std::string path;
  UniqueFd lock;
};

// Those that there are of this name; none where somebody holds one of them, or is at work on them.
std::vector<HeldGroup> hold_all(const std::vector<Hierarchy>& hierarchies, const std::string& name) {
  std::vector<HeldGroup> held;
  for (const Hierarchy& each : hierarchies) {
    std::string path = each.folder + std::string(kFamily) + name;
    if (::access(path.c_str(), F_OK) != 0) continue;
    auto lock = hold_directory(path);
    if (!lock) return {};
    held.push_back({std::move(path), *std::move(lock)});
  }
  return held;
}

// The super block's options are the same wherever a hierarchy is mounted.
std::vector<Mount> one_of_each(const std::vector<Mount>& mounts) {
  std::vector<Mount> kept;
  for (const Mount& mount : mounts) {
    if (!mount.type.starts_with("cgroup")) continue;
    const auto same = std::find_if(kept.begin(), kept.end(), [&mount](const Mount& other) {
      return other.type == mount.type && other.options == mount.options;
    });
    if (same == kept.end()) {
      kept.push_back(mount);
    } else if (same->root != "/" && mount.root == "/") {
      *same = mount;
    }
  }
  return kept;
}

}  // namespace

std::vector<Hierarchy> read_hierarchies(std::string_view mountinfo) {
  std::vector<Hierarchy> all;
  for (const Mount& mount : one_of_each(parse_mounts(mountinfo))) {
    Hierarchy hierarchy{mount.point, {}};
    const bool has_controllers = mount.type == "cgroup";
    for (const auto option : split(mount.options, ','))
      if (has_controllers && option != "rw" && option != "ro" && option.find('=') == std::string_view::npos)
        hierarchy.controllers.emplace_back(option);
    all.push_back(std::move(hierarchy));
  }
  return all;
}

std::vector<Hierarchy> own_hierarchies() {
  const auto mounts = read_file("/proc/self/mountinfo", kMostMounts);
  return mounts ? read_hierarchies(*mounts) : std::vector<Hierarchy>{};
}

SlotGroups::SlotGroups(std::string id, std::vector<Hierarchy> hierarchies)
    : id_(std::move(id)), hierarchies_(std::move(hierarchies)) {}

SlotGroups::SlotGroups(SlotGroups&& other) noexcept
    : id_(std::exchange(other.id_, {})), hierarchies_(std::move(other.hierarchies_)), locks_(std::move(other.locks_)) {}

SlotGroups::~SlotGroups() {
  static_cast<void>(remove());
}

// Others make, look at and sweep groups beside these.
bool SlotGroups::make_and_hold(const std::string& family, const std::string& group) {
  for (int i = 0; i < kMakeTries; ++i) {
    if (i > 0) wait_a_moment();
    if (!make_folder(family) || !make_folder(group)) continue;
    auto lock = hold_directory(group);
    if (!lock) continue;
    locks_.push_back(*std::move(lock));
    return true;
  }
  return false;
}

bool SlotGroups::make_folders(const Wanted& limits) {
  return std::all_of(hierarchies_.begin(), hierarchies_.end(), [&](const Hierarchy& each) {
    if (!is_useful(each)) return true;
    const std::string group = each.folder + parent();
    return make_and_hold(each.folder + std::string(kFamily), group) && make_folder(group + "/slots") &&
           set_limits(each, group, limits);
  });
}

std::optional<SlotGroups> SlotGroups::make(const Wanted& limits, std::vector<Hierarchy> hierarchies) {
  if (std::none_of(hierarchies.begin(), hierarchies.end(), is_useful)) return std::nullopt;
  sweep(hierarchies);
  SlotGroups groups(limits.spec.id, std::move(hierarchies));
  if (!groups.make_folders(limits)) return std::nullopt;
  return groups;
}

void SlotGroups::sweep(const std::vector<Hierarchy>& hierarchies) {
  std::set<std::string> ids;
  for (const Hierarchy& each : hierarchies)
    for (const std::string& path : folders_in(each.folder + std::string(kFamily)))
      ids.insert(fs::path(path).filename().string());
  for (const std::string& id : ids) {
    // No more than what is held: what an agent makes meanwhile in another hierarchy is its own.
    for (const HeldGroup& each : hold_all(hierarchies, "/" + id))
      if (remove_group(each.path)) ::rmdir(fs::path(each.path).parent_path().c_str());
  }
}

SlotGroups SlotGroups::left_by(const std::string& id, std::vector<Hierarchy> hierarchies) {
  return SlotGroups(id, std::move(hierarchies));
}

std::vector<HostMount> SlotGroups::mounts() const {
  std::vector<HostMount> all;
  for (const Hierarchy& each : hierarchies_) {
    if (!is_useful(each)) continue;
    const std::string name = fs::path(each.folder).filename().string();
    all.push_back({each.folder + parent() + "/slots", std::string(kHome) + "/groups/" + name});
  }
  return all;
}

bool SlotGroups::remove() {
  if (id_.empty()) return true;
  bool gone = true;
  // The engine makes its part of the path in every hierarchy, and leaves it there.
  for (const Hierarchy& each : hierarchies_) {
    gone = remove_group(each.folder + parent()) && gone;
    ::rmdir((each.folder + std::string(kFamily)).c_str());
  }
  if (!gone) return false;
  id_.clear();
  locks_.clear();
  return true;
}

}  // namespace berth::drivers::docker
