// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <spawn.h>
#include <string.h>

namespace berth::drivers {
namespace {

// Owns what posix_spawn reads.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  int add_descriptors(const std::vector<std::pair<int, int>>& descriptors) {
    int error = posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    int highest = 2;
    for (const auto& [ours, theirs] : descriptors) {
      if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, ours, theirs);
      highest = std::max(highest, theirs);
    }
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions_, highest + 1);
    return error;
  }

  int set_directory(const std::string& directory) {
    return posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str());
  }

  int set_signals() {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes_, &all);
    constexpr short kFlags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID;
    if (error == 0) error = posix_spawnattr_setflags(&attributes_, kFlags);
    return error;
  }

  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// dup2 onto a target that a later source still needs would lose it, so every source is first moved above all targets.
Expected<std::vector<UniqueFd>> move_up(std::vector<std::pair<int, int>>& descriptors) {
  int highest = 2;
  for (const auto& [ours, theirs] : descriptors) highest = std::max(highest, theirs);
  std::vector<UniqueFd> owners;
  for (auto& [ours, theirs] : descriptors) {
    UniqueFd copy(::fcntl(ours, F_DUPFD_CLOEXEC, highest + 1));
    if (!copy) return fail_errno("copying a descriptor", errno);
    ours = copy.get();
    owners.push_back(std::move(copy));
  }
  return owners;
}

std::string describe(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "exit code " + std::to_string(info.si_status);
  const char* name = ::sigdescr_np(info.si_status);
  return "signal " + std::to_string(info.si_status) + (name == nullptr ? "" : " (" + std::string(name) + ")");
}

}  // namespace

Expected<ChildProcess> ChildProcess::spawn(const SpawnRequest& request) {
  auto descriptors = request.descriptors;
  auto owners = move_up(descriptors);
  if (!owners) return tl::unexpected(owners.error());
  SpawnPlan plan;
  int error = plan.set_directory(request.directory);
  if (error == 0) error = plan.add_descriptors(descriptors);
  if (error == 0) error = plan.set_signals();
  pid_t pid = -1;
  auto argv = pointers(request.argv);
  auto environment = pointers(request.environment);
  if (error == 0)
    error = ::posix_spawn(&pid, argv[0], plan.actions(), plan.attributes(), argv.data(), environment.data());
  if (error != 0) return fail_errno("starting " + request.argv.front(), error);
  // Not reaped yet, so the number cannot have been given to another process.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ChildProcess child(pid, std::move(pidfd));
  if (child.pidfd() < 0) return fail_errno("watching " + request.argv.front(), errno);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  kill_and_reap();
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  return *this;
}

ChildProcess::~ChildProcess() {
  kill_and_reap();
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::string ChildProcess::reap() {
  if (pid_ < 0) return "reaped";
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return {};
  pid_ = -1;
  return describe(info);
}

void ChildProcess::kill_and_reap() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace berth::drivers
