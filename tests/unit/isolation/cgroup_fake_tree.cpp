// SPDX-License-Identifier: Apache-2.0
#include "cgroup_fake_tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words(const std::string& text, char separator) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, separator);) {
    if (!word.empty()) found.push_back(word);
  }
  return found;
}

const std::map<std::string, std::vector<std::pair<std::string, std::string>>>& v1_files() {
  static const std::map<std::string, std::vector<std::pair<std::string, std::string>>> files = {
      {"memory",
       {{"memory.limit_in_bytes", ""},
        {"memory.max_usage_in_bytes", "0"},
        {"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"}}},
      {"pids", {{"pids.max", "max"}, {"pids.current", "0"}}},
      {"cpu", {{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", "-1"}}},
      {"cpuacct", {{"cpuacct.usage", "0"}}}};
  return files;
}

const std::map<std::string, std::vector<std::pair<std::string, std::string>>>& v2_files() {
  static const std::map<std::string, std::vector<std::pair<std::string, std::string>>> files = {
      {"memory",
       {{"memory.max", "max"},
        {"memory.swap.max", "max"},
        {"memory.peak", "0"},
        {"memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"}}},
      {"pids", {{"pids.max", "max"}, {"pids.current", "0"}}},
      {"cpu", {{"cpu.max", "max 100000"}}}};
  return files;
}

}  // namespace

FakeTree::FakeTree() {
  std::string pattern = (fs::temp_directory_path() / "berth-cgroup-XXXXXX").string();
  root_ = ::mkdtemp(pattern.data());
}

FakeTree::~FakeTree() {
  fs::remove_all(root_);
}

std::string FakeTree::mount_v1(const std::string& controllers, const std::string& own_path,
                               const std::string& mount_root) {
  const std::string point = root_ + "/" + controllers + (mount_root == "/" ? "" : "-delegated");
  fs::create_directory(point);
  mounts_[point] = words(controllers, ',');
  fill(point, mounts_[point], false);
  mountinfo_ +=
      "30 20 0:30 " + mount_root + " " + point + " rw,relatime shared:5 - cgroup cgroup rw," + controllers + "\n";
  if (mount_root == "/") {
    self_cgroup_ += "4:" + controllers + ":" + own_path + "\n";
    if (own_path != "/") (void)make_directory(point + own_path);
  }
  return own_path == "/" || mount_root != "/" ? point : point + own_path;
}

std::string FakeTree::mount_v2(const std::string& controllers, const std::string& own_path) {
  const std::string point = root_ + "/unified";
  fs::create_directory(point);
  mounts_[point] = words(controllers, ' ');
  fill(point, mounts_[point], true);
  set(point + "/cgroup.controllers", controllers);
  mountinfo_ += "41 31 0:38 / " + point + " rw,relatime - cgroup2 cgroup2 rw\n";
  self_cgroup_ += "0::" + own_path + "\n";
  return own_path == "/" ? point : point + own_path;
}

void FakeTree::fill(const std::string& directory, const std::vector<std::string>& controllers, bool version_two) const {
  set(directory + "/cgroup.procs", "");
  if (!version_two) set(directory + "/tasks", "");
  if (version_two) set(directory + "/cgroup.subtree_control", "");
  if (version_two) set(directory + "/cpu.stat", "usage_usec 0\n");
  const auto& files = version_two ? v2_files() : v1_files();
  for (const auto& controller : controllers) {
    const auto found = files.find(controller);
    if (found == files.end()) continue;
    for (const auto& [name, text] : found->second) set(directory + "/" + name, text);
  }
}

void FakeTree::put_process(const std::string& directory, int pid) {
  take_process_out(pid);
  set(directory + "/cgroup.procs", get(directory + "/cgroup.procs") + std::to_string(pid) + "\n");
}

void FakeTree::set(const std::string& file, const std::string& text) const {
  std::ofstream(file) << text;
}

std::string FakeTree::get(const std::string& file) const {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

int FakeTree::make_directory(const std::string& path) {
  if (const int error = failure_of(path); error != 0) return error;
  if (fs::exists(path)) return EEXIST;
  const std::string parent = fs::path(path).parent_path();
  if (!fs::exists(parent)) return ENOENT;
  fs::create_directory(path);
  const bool version_two = fs::exists(parent + "/cgroup.subtree_control");
  if (version_two) {
    const std::string passed = get(parent + "/cgroup.subtree_control");
    fill(path, words(passed, ' '), true);
    set(path + "/cgroup.controllers", passed);
    return 0;
  }
  for (const auto& [point, controllers] : mounts_) {
    if (path.starts_with(point + "/")) fill(path, controllers, false);
  }
  return 0;
}

int FakeTree::remove_directory(const std::string& path) {
  if (const int error = failure_of(path); error != 0) return error;
  if (!fs::exists(path)) return ENOENT;
  const auto is_directory = [](const fs::directory_entry& entry) { return entry.is_directory(); };
  if (std::any_of(fs::directory_iterator(path), fs::directory_iterator(), is_directory)) return EBUSY;
  if (!get(path + "/cgroup.procs").empty()) return EBUSY;
  fs::remove_all(path);
  return 0;
}

int FakeTree::write(const std::string& path, std::string_view text) {
  if (const int error = failure_of(path); error != 0) return error;
  const std::string directory = fs::path(path).parent_path();
  const auto name = fs::path(path).filename();
  if (name == "cgroup.subtree_control") return pass_on(directory, std::string(text.substr(1)));
  if (name == "cgroup.procs") {
    const auto passed = directory + "/cgroup.subtree_control";
    if (!is_mount(directory) && fs::exists(passed) && !get(passed).empty()) return EBUSY;
    put_process(directory, std::stoi(std::string(text)));
    return 0;
  }
  return GroupTree::write(path, text);
}

int FakeTree::pass_on(const std::string& directory, const std::string& controller) {
  const auto offered = words(get(directory + "/cgroup.controllers"), ' ');
  if (std::find(offered.begin(), offered.end(), controller) == offered.end()) return ENOENT;
  if (!is_mount(directory) && !get(directory + "/cgroup.procs").empty()) return EBUSY;
  const auto append = [&](const std::string& file) {
    const auto listed = get(file);
    set(file, listed.empty() ? controller : listed + " " + controller);
  };
  append(directory + "/cgroup.subtree_control");
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!entry.is_directory()) continue;
    append(entry.path() / "cgroup.controllers");
    for (const auto& [name, text] : v2_files().at(controller)) set(entry.path() / name, text);
  }
  return 0;
}

void FakeTree::take_process_out(int pid) {
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.path().filename() != "cgroup.procs") continue;
    auto lines = words(get(entry.path()), '\n');
    std::string rest;
    for (const auto& line : lines) rest += line == std::to_string(pid) ? "" : line + "\n";
    set(entry.path(), rest);
  }
}

bool FakeTree::is_mount(const std::string& directory) const {
  return mounts_.contains(directory);
}

int FakeTree::failure_of(const std::string& path) const {
  const auto found = failures_.find(path);
  return found == failures_.end() ? 0 : found->second;
}

}  // namespace berth::isolation
