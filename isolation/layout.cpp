// SPDX-License-Identifier: Apache-2.0
#include "isolation/layout.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "isolation/layout_parts.hpp"

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;
using Kind = LayoutEntry::Kind;

const std::set<std::string> kOwn = {"proc",     "sys",        "dev",    "tmp",       "workspace",
                                    "old_root", "lost+found", ".berth", ".dockerenv"};
constexpr std::size_t kLongestName = 100;

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

Expected<std::vector<LayoutEntry>> machine_layout(const LayoutOptions& options) {
  std::vector<LayoutEntry> entries;
  entries.push_back({Kind::system, "usr", "/usr", 0755, false});
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
    const fs::path path = fs::path("/") / name;
    std::error_code error;
    if (fs::is_symlink(path, error)) {
      add_layout_link(path, entries);
    } else if (fs::is_directory(path, error)) {  // a system without merged /usr
      entries.push_back({Kind::system, name, path.string(), 0755, false});
    }
  }
  const std::string etc = options.work_dir + "/etc";
  if (auto copied = copy_minimal_etc("/etc", etc); !copied) return tl::unexpected(copied.error());
  entries.push_back({Kind::system, "etc", etc, 0755, false});
  add_missing_directories(entries);
  entries.insert(entries.end(), kEmptyBelow.begin(), kEmptyBelow.end());
  return entries;
}

std::vector<LayoutEntry> whole_machine() {
  std::vector<LayoutEntry> entries;
  std::error_code error;
  for (const auto& item : fs::directory_iterator("/", error)) {
    const std::string name = item.path().filename().string();
    if (is_own_name(name) || !is_showable_name(name)) continue;
    if (item.is_symlink(error)) {
      add_layout_link(item.path(), entries);
    } else if (item.is_directory(error)) {
      entries.push_back({Kind::shared, name, item.path().string(), 0755, false});
    }
  }
  return entries;
}

}  // namespace

bool is_own_name(const std::string& name) {
  return kOwn.contains(name);
}

bool is_showable_name(const std::string& name) {
  constexpr std::string_view kOfMountOptions = ",:\\\"";
  const auto is_bad = [&](unsigned char c) {
    return c < ' ' || c == 0x7f || kOfMountOptions.find(static_cast<char>(c)) != std::string_view::npos;
  };
  return name.size() <= kLongestName && std::none_of(name.begin(), name.end(), is_bad);
}

void add_layout_link(const fs::path& path, std::vector<LayoutEntry>& entries) {
  std::error_code error;
  const auto target = fs::read_symlink(path, error);
  if (!error) entries.push_back({Kind::link, path.filename().string(), target.string(), 0777, false});
}

void add_missing_directories(std::vector<LayoutEntry>& entries) {
  for (const auto& wanted : kEmpty) {
    const auto is_same = [&](const LayoutEntry& entry) { return entry.name == wanted.name; };
    if (std::none_of(entries.begin(), entries.end(), is_same)) entries.push_back(wanted);
  }
}

Expected<std::vector<LayoutEntry>> make_layout(const LayoutOptions& options) {
  if (!options.private_root) return whole_machine();
  const bool of_machine = options.root == RootMode::machine && options.rootfs.empty();
  return of_machine ? machine_layout(options) : image_layout(options);
}

}  // namespace berth::isolation
