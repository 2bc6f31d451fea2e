// SPDX-License-Identifier: Apache-2.0
// Version 1: each controller (or set of controllers mounted together) is a tree of its own, so a group is one directory
// in each of them.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "isolation/cgroup_places.hpp"
#include "isolation/cgroup_versions.hpp"

namespace berth::isolation {
namespace {

// A group's directory in one tree.
struct Branch {
  std::string directory;
  std::vector<std::string> controllers;

  [[nodiscard]] bool holds(std::string_view controller) const {
    return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
  }
};

int write_number(GroupTree& tree, const std::string& path, std::uint64_t value) {
  return tree.write(path, std::to_string(value));
}

int limit_memory(GroupTree& tree, const std::string& directory, std::uint64_t bytes) {
  if (int error = write_number(tree, directory + "/memory.limit_in_bytes", bytes); error != 0) return error;
  // Where swap is accounted: none beyond the limit. The file is missing otherwise.
  const int error = write_number(tree, directory + "/memory.memsw.limit_in_bytes", bytes);
  return error == ENOENT || error == EOPNOTSUPP ? 0 : error;
}

int limit_cpu(GroupTree& tree, const std::string& directory, double cores) {
  if (int error = write_number(tree, directory + "/cpu.cfs_period_us", kCpuPeriodUs); error != 0) return error;
  return write_number(tree, directory + "/cpu.cfs_quota_us", cpu_quota_us(cores));
}

int apply(GroupTree& tree, const Branch& branch, const GroupLimits& limits) {
  int error = 0;
  if (limits.memory_bytes && branch.holds("memory")) error = limit_memory(tree, branch.directory, *limits.memory_bytes);
  if (error == 0 && limits.pids && branch.holds("pids")) {
    error = write_number(tree, branch.directory + "/pids.max", *limits.pids);
  }
  if (error == 0 && limits.cpu && branch.holds("cpu")) error = limit_cpu(tree, branch.directory, *limits.cpu);
  return error;
}

class V1Group : public Cgroup {
 public:
  V1Group(GroupTree& tree, std::vector<Branch> branches) : tree_(tree), branches_(std::move(branches)) {
    for (const auto& branch : branches_) {
      if (branch.holds("memory")) {
        peak_ = open_group_file(branch.directory + "/memory.max_usage_in_bytes", O_RDWR);
        oom_ = open_group_file(branch.directory + "/memory.oom_control", O_RDONLY);
      }
      if (branch.holds("pids")) processes_ = open_group_file(branch.directory + "/pids.current", O_RDONLY);
      if (branch.holds("cpuacct")) cpu_ = open_group_file(branch.directory + "/cpuacct.usage", O_RDONLY);
    }
  }
  ~V1Group() override {
    for (const auto& branch : branches_) sweep_group(tree_, branch.directory);
  }

  Expected<void> add_process(int pid) override {
    for (const auto& branch : branches_) {
      if (const int error = tree_.write(branch.directory + "/cgroup.procs", std::to_string(pid)); error != 0) {
        return fail_errno("joining the control group " + branch.directory, error);
      }
    }
    return {};
  }

  Expected<std::vector<UniqueFd>> join_fds() const override {
    std::vector<UniqueFd> files;
    for (const auto& branch : branches_) {
      files.push_back(open_group_file(branch.directory + "/tasks", O_WRONLY));
      if (!files.back()) return fail_errno("opening the control group " + branch.directory, errno);
    }
    return files;
  }

  GroupUsage memory_usage() const override {
    GroupUsage usage;
    if (peak_) usage.memory_peak_bytes = read_number(peak_.get());
    if (oom_) usage.oom_kills = read_keyed(oom_.get(), "oom_kill");
    return usage;
  }

  GroupUsage usage() const override {
    auto usage = memory_usage();
    if (processes_) usage.processes = read_number(processes_.get());
    const auto nanoseconds = cpu_ ? read_number(cpu_.get()) : std::nullopt;
    if (nanoseconds) usage.cpu_microseconds = *nanoseconds / 1000;
    return usage;
  }

  void reset_peak() override {
    if (peak_) (void)::pwrite(peak_.get(), "0", 1, 0);
  }

  Expected<std::unique_ptr<Cgroup>> make_child(const std::string& name, std::optional<std::uint64_t> memory_bytes,
                                               std::optional<std::uint64_t> pids) override {
    return make(tree_, branches_, name, GroupLimits{memory_bytes, pids, std::nullopt});
  }

  Expected<void> remove() override {
    while (!branches_.empty()) {
      if (auto removed = remove_group(tree_, branches_.back().directory); !removed) return removed;
      branches_.pop_back();
    }
    return {};
  }

  // One directory named `name` below each of `parents`; all of them or none.
  static Expected<std::unique_ptr<Cgroup>> make(GroupTree& tree, const std::vector<Branch>& parents,
                                                const std::string& name, const GroupLimits& limits) {
    std::vector<Branch> branches;
    for (const auto& parent : parents) {
      Branch branch{parent.directory + "/" + name, parent.controllers};
      int error = tree.make_directory(branch.directory);
      if (error == 0) {
        error = apply(tree, branch, limits);
        branches.push_back(std::move(branch));
      }
      if (error == 0) continue;
      for (const auto& made : branches) sweep_group(tree, made.directory);
      return fail_errno("making the control group " + parent.directory + "/" + name, error);
    }
    return std::make_unique<V1Group>(tree, std::move(branches));
  }

 private:
  GroupTree& tree_;
  std::vector<Branch> branches_;
  UniqueFd peak_, oom_, processes_, cpu_;
};

class V1Parent : public CgroupParent {
 public:
  V1Parent(GroupTree& tree, std::vector<ParentDirectory> directories, std::vector<Branch> branches)
      : tree_(tree), directories_(std::move(directories)), branches_(std::move(branches)) {}

  Expected<std::unique_ptr<Cgroup>> make_slot(const std::string& name, const SlotSpec& limits) override {
    // A tree whose only controller is cpu is not joined without a limit: it would only cost scheduling.
    std::vector<Branch> parents;
    for (const auto& branch : branches_) {
      const bool only_cpu = branch.controllers.size() == 1 && branch.holds("cpu");
      if (limits.cpu || !only_cpu) parents.push_back(branch);
    }
    return V1Group::make(tree_, parents, name, limits_of_slot(limits));
  }

 private:
  GroupTree& tree_;
  std::vector<ParentDirectory> directories_;
  std::vector<Branch> branches_;
};

}  // namespace

std::unique_ptr<CgroupParent> open_v1_parent(const std::string& id, const CgroupSources& sources,
                                             Abilities& abilities) {
  std::vector<ParentDirectory> directories;
  std::vector<Branch> branches;
  for (const auto& place : find_v1_places(sources.self_cgroup, sources.mountinfo, sources.delegated_below)) {
    auto directory = ParentDirectory::make(*sources.tree, place.directory, id);
    if (!directory) {
      abilities.why_no_cgroup = directory.error().message;
      continue;
    }
    branches.push_back(Branch{directory->path(), place.controllers});
    directories.push_back(std::move(*directory));
  }
  const auto has_controller = [&](std::string_view name) {
    return std::any_of(branches.begin(), branches.end(), [&](const Branch& branch) { return branch.holds(name); });
  };
  if (!has_controller("memory") && !has_controller("pids")) return nullptr;
  abilities.cgroup_memory = has_controller("memory");
  abilities.cgroup_pids = has_controller("pids");
  abilities.cgroup_cpu = has_controller("cpu");
  abilities.cgroup_version = 1;
  return std::make_unique<V1Parent>(*sources.tree, std::move(directories), std::move(branches));
}

}  // namespace berth::isolation
