// SPDX-License-Identifier: Apache-2.0
// Version 2: one tree. Processes live only in groups without children (the rule of no internal processes), so a slot's
// limits stand on one group, its processes in `main` below it, and a call with limits of its own beside that.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "isolation/cgroup_places.hpp"
#include "isolation/cgroup_versions.hpp"

namespace berth::isolation {
namespace {

constexpr std::string_view kWanted[] = {"memory", "pids", "cpu"};
constexpr const char* kOwnLeaf = "/berth-server";  // where this process moves to, so that its group can have children

std::string cpu_max(double cores) {
  return std::to_string(cpu_quota_us(cores)) + " " + std::to_string(kCpuPeriodUs);
}

int apply(GroupTree& tree, const std::string& directory, const GroupLimits& limits) {
  int error = 0;
  if (limits.memory_bytes) {
    error = tree.write(directory + "/memory.max", std::to_string(*limits.memory_bytes));
    // Without swap accounting the file is missing.
    const int swap = error == 0 ? tree.write(directory + "/memory.swap.max", "0") : 0;
    if (swap != 0 && swap != ENOENT) error = swap;
  }
  if (error == 0 && limits.pids) error = tree.write(directory + "/pids.max", std::to_string(*limits.pids));
  if (error == 0 && limits.cpu) error = tree.write(directory + "/cpu.max", cpu_max(*limits.cpu));
  return error;
}

std::vector<std::string> words_of(const std::string& path) {
  std::vector<std::string> words;
  const auto text = read_file(path, 4096);
  std::string_view rest = text ? trim(*text) : std::string_view();
  while (!rest.empty()) {
    words.emplace_back(rest.substr(0, rest.find(' ')));
    rest.remove_prefix(std::min(words.back().size() + 1, rest.size()));
  }
  return words;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<std::string> wanted_in(const std::string& directory) {
  std::vector<std::string> found;
  const auto offered = words_of(directory + "/cgroup.controllers");
  for (auto name : kWanted) {
    if (contains(offered, name)) found.emplace_back(name);
  }
  return found;
}

// Passes the controllers on to the groups below; those that are passed on already are left alone.
int pass_on(GroupTree& tree, const std::string& directory, const std::vector<std::string>& controllers) {
  const auto file = directory + "/cgroup.subtree_control";
  const auto passed = words_of(file);
  for (const auto& name : controllers) {
    if (contains(passed, name)) continue;
    if (const int error = tree.write(file, "+" + name); error != 0) return error;
  }
  return 0;
}

class V2Group : public Cgroup {
 public:
  // `home` is where processes go: `directory` itself, or the leaf below it.
  V2Group(GroupTree& tree, std::string directory, std::string home)
      : tree_(tree), directory_(std::move(directory)), home_(std::move(home)) {
    peak_ = open_group_file(directory_ + "/memory.peak", O_RDWR);
    can_forget_peak_ = static_cast<bool>(peak_);
    if (!peak_) peak_ = open_group_file(directory_ + "/memory.peak", O_RDONLY);
    events_ = open_group_file(directory_ + "/memory.events", O_RDONLY);
    processes_ = open_group_file(directory_ + "/pids.current", O_RDONLY);
    cpu_ = open_group_file(directory_ + "/cpu.stat", O_RDONLY);
  }
  ~V2Group() override {
    if (!removed_) sweep_group(tree_, directory_);
  }

  Expected<void> add_process(int pid) override {
    const int error = tree_.write(home_ + "/cgroup.procs", std::to_string(pid));
    return error == 0 ? Expected<void>() : fail_errno("joining the control group " + home_, error);
  }

  Expected<std::vector<UniqueFd>> join_fds() const override {
    std::vector<UniqueFd> files;
    files.push_back(open_group_file(home_ + "/cgroup.procs", O_WRONLY));
    if (!files.back()) return fail_errno("opening the control group " + home_, errno);
    return files;
  }

  GroupUsage memory_usage() const override {
    GroupUsage usage;
    const auto peak = peak_ ? read_number(peak_.get()) : std::nullopt;
    if (peak && *peak > forgotten_peak_) usage.memory_peak_bytes = peak;
    if (events_) usage.oom_kills = read_keyed(events_.get(), "oom_kill");
    return usage;
  }

  GroupUsage usage() const override {
    auto usage = memory_usage();
    if (processes_) usage.processes = read_number(processes_.get());
    if (cpu_) usage.cpu_microseconds = read_keyed(cpu_.get(), "usage_usec");
    return usage;
  }

  void reset_peak() override {
    if (!peak_ || (can_forget_peak_ && ::pwrite(peak_.get(), "reset", 5, 0) > 0)) return;
    forgotten_peak_ = read_number(peak_.get()).value_or(0);
  }

  Expected<std::unique_ptr<Cgroup>> make_child(const std::string& name, std::optional<std::uint64_t> memory_bytes,
                                               std::optional<std::uint64_t> pids) override {
    const auto path = directory_ + "/" + name;
    int error = tree_.make_directory(path);
    if (error != 0) return fail_errno("making the control group " + path, error);
    auto group = std::make_unique<V2Group>(tree_, path, path);
    error = apply(tree_, path, GroupLimits{memory_bytes, pids, std::nullopt});
    if (error != 0) return fail_errno("limiting the control group " + path, error);
    return group;
  }

  Expected<void> remove() override {
    if (removed_) return {};
    for (const auto& path : {home_, directory_}) {
      if (auto done = remove_group(tree_, path); !done) return done;
    }
    removed_ = true;
    return {};
  }

  static Expected<std::unique_ptr<Cgroup>> make(GroupTree& tree, const std::string& path,
                                                const std::vector<std::string>& controllers,
                                                const GroupLimits& limits) {
    const auto home = path + "/main";
    int error = tree.make_directory(path);
    if (error != 0) return fail_errno("making the control group " + path, error);
    error = apply(tree, path, limits);
    if (error == 0) error = pass_on(tree, path, controllers);
    if (error == 0) error = tree.make_directory(home);
    if (error == 0) return std::make_unique<V2Group>(tree, path, home);
    sweep_group(tree, path);
    return fail_errno("making the control group " + path, error);
  }

 private:
  GroupTree& tree_;
  std::string directory_;
  std::string home_;
  UniqueFd peak_, events_, processes_, cpu_;
  bool can_forget_peak_ = false;
  bool removed_ = false;
  std::uint64_t forgotten_peak_ = 0;
};

class V2Parent : public CgroupParent {
 public:
  V2Parent(GroupTree& tree, ParentDirectory directory, std::vector<std::string> controllers)
      : tree_(tree), directory_(std::move(directory)), controllers_(std::move(controllers)) {}

  Expected<std::unique_ptr<Cgroup>> make_slot(const std::string& name, const SlotSpec& slot) override {
    GroupLimits limits = limits_of_slot(slot);
    if (!contains(controllers_, "memory")) limits.memory_bytes.reset();
    if (!contains(controllers_, "pids")) limits.pids.reset();
    if (!contains(controllers_, "cpu")) limits.cpu.reset();
    return V2Group::make(tree_, directory_.path() + "/" + name, controllers_, limits);
  }

 private:
  GroupTree& tree_;
  ParentDirectory directory_;
  std::vector<std::string> controllers_;
};

// Makes `directory` one that can have limited groups below it. EBUSY when processes other than this one live in it.
int prepare_base(GroupTree& tree, const std::string& directory, const std::vector<std::string>& controllers) {
  int error = pass_on(tree, directory, controllers);
  if (error != EBUSY || processes_of(directory) != std::vector<int>{::getpid()}) return error;
  error = tree.make_directory(directory + kOwnLeaf);
  if (error != 0 && error != EEXIST) return error;
  error = tree.write(directory + kOwnLeaf + std::string("/cgroup.procs"), std::to_string(::getpid()));
  return error != 0 ? error : pass_on(tree, directory, controllers);
}

// The parent directory with its controllers passed on, or the reason against it.
Expected<ParentDirectory> make_parent(GroupTree& tree, const std::string& base, const std::string& id,
                                      const std::vector<std::string>& controllers) {
  if (const int error = prepare_base(tree, base, controllers); error != 0) {
    return fail_errno(error == EBUSY ? "the control group " + base + " holds other processes too"
                                     : "passing controllers on in the control group " + base,
                      error);
  }
  auto directory = ParentDirectory::make(tree, base, id);
  if (!directory) return directory;
  const auto berth = directory->path().substr(0, directory->path().rfind('/'));
  for (const auto& path : {berth, directory->path()}) {
    if (const int error = pass_on(tree, path, controllers); error != 0) {
      return fail_errno("passing controllers on in the control group " + path, error);
    }
  }
  return directory;
}

}  // namespace

std::unique_ptr<CgroupParent> open_v2_parent(const std::string& id, const CgroupSources& sources,
                                             Abilities& abilities) {
  const auto places = find_v2_places(sources.self_cgroup, sources.mountinfo, sources.delegated_below);
  if (places.empty()) return nullptr;
  const auto& place = places.front();
  abilities.why_no_cgroup = "the control group " + place.directory + " has neither a memory nor a pids controller";
  // A group that holds the user's shell cannot have children; then the nearest group above it that can.
  for (auto base = place.directory; base.size() >= place.mount_point.size(); base = base.substr(0, base.rfind('/'))) {
    const auto controllers = wanted_in(base);
    if (!contains(controllers, "memory") && !contains(controllers, "pids")) continue;
    auto directory = make_parent(*sources.tree, base, id, controllers);
    if (!directory) {
      abilities.why_no_cgroup = directory.error().message;
      continue;
    }
    abilities.cgroup_memory = contains(controllers, "memory");
    abilities.cgroup_pids = contains(controllers, "pids");
    abilities.cgroup_cpu = contains(controllers, "cpu");
    abilities.cgroup_version = 2;
    return std::make_unique<V2Parent>(*sources.tree, std::move(*directory), controllers);
  }
  return nullptr;
}

}  // namespace berth::isolation
