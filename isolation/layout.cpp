// SPDX-License-Identifier: Apache-2.0
#include "isolation/layout.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;
using Kind = LayoutEntry::Kind;

// The keeper makes these itself.
const std::set<std::string> kOwn = {"proc", "sys", "dev", "tmp", "workspace", "old_root", "lost+found"};

const std::vector<LayoutEntry> kEmpty = {
    {Kind::directory, "var", "", 0755, true},  {Kind::directory, "opt", "", 0755, true},
    {Kind::directory, "srv", "", 0755, true},  {Kind::directory, "home", "", 0755, true},
    {Kind::directory, "root", "", 0700, true}, {Kind::directory, "run", "", 0755, false},
    {Kind::directory, "mnt", "", 0755, false},
};
// Below one of the above; made after them, over a setup layer as well.
const std::vector<LayoutEntry> kEmptyBelow = {
    {Kind::directory, "var/tmp", "", 01777, false},
    {Kind::directory, "var/lib", "", 0755, false},
    {Kind::directory, "var/cache", "", 0755, false},
    {Kind::directory, "var/log", "", 0755, false},
};

bool is_plain_name(const std::string& name) {
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; });
}

void add_link(const fs::path& path, std::vector<LayoutEntry>& entries) {
  std::error_code error;
  const auto target = fs::read_symlink(path, error);
  if (!error) entries.push_back({Kind::link, path.filename().string(), target.string(), 0777, false});
}

// Mount points strictly below `directory`.
bool has_mounts_below(const std::string& directory) {
  std::ifstream table("/proc/self/mountinfo");
  const std::string prefix = directory == "/" ? "/" : directory + "/";
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    if (point.starts_with(prefix)) return true;
  }
  return false;
}

void add_empty_directories(std::vector<LayoutEntry>& entries) {
  const auto is_there = [&entries](const LayoutEntry& wanted) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const LayoutEntry& entry) { return entry.name == wanted.name; });
  };
  for (const auto& entry : kEmpty) {
    if (!is_there(entry)) entries.push_back(entry);
  }
  entries.insert(entries.end(), kEmptyBelow.begin(), kEmptyBelow.end());
}

Expected<std::vector<LayoutEntry>> machine_layout(const LayoutOptions& options) {
  std::vector<LayoutEntry> entries;
  entries.push_back({Kind::system, "usr", "/usr", 0755, false});
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
    const fs::path path = fs::path("/") / name;
    std::error_code error;
    if (fs::is_symlink(path, error)) {
      add_link(path, entries);
    } else if (fs::is_directory(path, error)) {  // a system without merged /usr
      entries.push_back({Kind::system, name, path.string(), 0755, false});
    }
  }
  const std::string etc = options.work_dir + "/etc";
  if (auto copied = copy_minimal_etc("/etc", etc); !copied) return tl::unexpected(copied.error());
  entries.push_back({Kind::system, "etc", etc, 0755, false});
  add_empty_directories(entries);
  return entries;
}

Expected<void> add_image_directory(const LayoutOptions& options, const fs::path& path,
                                   std::vector<LayoutEntry>& entries) {
  const std::string name = path.filename().string();
  std::string source = path.string();
  if (has_mounts_below(source)) {  // cannot be the lower directory of an overlay in a user namespace
    source = options.work_dir + "/copies/" + name;
    std::error_code error;
    fs::create_directories(options.work_dir + "/copies", error);
    if (auto copied = copy_directory(path.string(), source); !copied) return copied;
  }
  entries.push_back({Kind::system, name, source, 0755, false});
  return {};
}

bool holds(const fs::path& directory, const std::string& path) {
  return path == directory.string() || path.starts_with(directory.string() + "/");
}

Expected<std::vector<LayoutEntry>> image_layout(const LayoutOptions& options) {
  std::vector<LayoutEntry> entries;
  std::error_code error;
  for (const auto& item : fs::directory_iterator(options.rootfs, error)) {
    const std::string name = item.path().filename().string();
    if (kOwn.contains(name) || !is_plain_name(name)) continue;
    if (item.is_symlink(error)) {
      add_link(item.path(), entries);
    } else if (item.is_directory(error) && !holds(item.path(), options.work_dir)) {
      if (auto added = add_image_directory(options, item.path(), entries); !added) return tl::unexpected(added.error());
    }
  }
  if (error) return fail("isolation", "rootfs " + options.rootfs + " cannot be read: " + error.message());
  for (const auto& entry : kEmpty) {
    const auto same = [&](const LayoutEntry& other) { return other.name == entry.name; };
    if (std::none_of(entries.begin(), entries.end(), same)) entries.push_back(entry);
  }
  return entries;
}

std::vector<LayoutEntry> whole_machine() {
  std::vector<LayoutEntry> entries;
  std::error_code error;
  for (const auto& item : fs::directory_iterator("/", error)) {
    const std::string name = item.path().filename().string();
    if (kOwn.contains(name) || !is_plain_name(name)) continue;
    if (item.is_symlink(error)) {
      add_link(item.path(), entries);
    } else if (item.is_directory(error)) {
      entries.push_back({Kind::shared, name, item.path().string(), 0755, false});
    }
  }
  return entries;
}

}  // namespace

Expected<std::vector<LayoutEntry>> make_layout(const LayoutOptions& options) {
  if (!options.private_root) return whole_machine();
  return options.rootfs.empty() ? machine_layout(options) : image_layout(options);
}

}  // namespace berth::isolation
