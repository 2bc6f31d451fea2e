// SPDX-License-Identifier: Apache-2.0
#include "isolation/room.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/log.hpp"
#include "isolation/room_impl.hpp"

namespace berth::isolation {
namespace {

constexpr int kDeathPatienceMs = 2000;

}  // namespace

Expected<void> Room::Impl::begin() {
  if (!shared_.isolated) {
    std::error_code error;
    const std::string workspace = shared_.work_dir + "/slots/" + spec_.slot;
    std::filesystem::remove_all(workspace, error);  // nothing else takes the last owner's files away
    std::filesystem::create_directories(workspace, error);
    if (error) return fail("isolation", "making the workspace: " + error.message());
    if (!user().is_root() && ::chown(workspace.c_str(), user().uid, user().gid) != 0) {
      return fail_errno("giving the workspace to its user", errno);
    }
  }
  std::vector<UniqueFd> join;
  if (shared_.groups) {
    auto group = shared_.groups->make_slot(spec_.slot + "." + std::to_string(++shared_.begun),
                                           limits_in_force(shared_.spec.slot, shared_.plan));
    if (!group) return tl::unexpected(group.error());
    group_ = std::move(*group);
    auto fds = group_->join_fds();
    if (!fds) return tl::unexpected(fds.error());
    join = std::move(*fds);
  }
  auto launched = launch_keeper(shared_, spec_, host_id(0), join);
  if (!launched) return tl::unexpected(launched.error());
  pid_ = launched->pid;
  pidfd_ = std::move(launched->pidfd);
  control_ = std::move(launched->control);
  auto description = describe_room(shared_, spec_, pid_);
  if (!description) return tl::unexpected(description.error());
  std::vector<int> trees;
  for (const auto& fd : description->owned) trees.push_back(fd.get());
  return send_packet(control_.get(), description->bytes.data(), description->bytes.size(), trees);
}

std::uint32_t Room::Impl::host_id(std::uint32_t own) const {
  if (shared_.ids == IdMode::shifted) return shared_.id_block.base_of(spec_.index);
  return shared_.ids == IdMode::identity ? 0 : own;
}

const UserIds& Room::Impl::user() const {
  static const UserIds root;
  return spec_.is_setup ? root : shared_.user;
}

std::uint32_t Room::Impl::host_id_of(std::uint32_t id, std::uint32_t own) const {
  if (id == 0 || shared_.ids == IdMode::single) return host_id(own);
  return shared_.ids == IdMode::shifted ? host_id(0) + id : id;
}

Expected<void> Room::Impl::send(const void* message, std::size_t size, const std::vector<int>& fds) {
  if (gone_ || !control_) return fail("gone", "the slot's keeper is gone", "reset the slot");
  return send_packet(control_.get(), message, size, fds);
}

void Room::Impl::begin_destroy() {
  if (reaped_ || pid_ < 0) return;
  root_.reset();
  workspace_.reset();
  listener_.reset();
  mounts_.reset();
  control_.reset();
  gone_ = true;
  events_.clear();
  // Without a pid namespace the keeper's death would leave the others: it ends them itself when the socket closes.
  if (shared_.isolated && has(shared_.plan.in_force, Measure::pid_namespace)) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  }
}

Expected<void> Room::Impl::finish_destroy() {
  if (pid_ >= 0 && !reaped_) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0) {
      return fail_errno("reaping the keeper", errno);
    }
    if (info.si_pid == 0) return fail("isolation", "the slot's keeper is still alive", "wait for death_fd()");
    reaped_ = true;
  }
  call_groups_.clear();
  if (!group_) return {};
  auto removed = group_->remove();
  if (removed) group_.reset();
  return removed;
}

Room::Impl::~Impl() {
  if (pid_ < 0) return;
  begin_destroy();
  pollfd death{pidfd_.get(), POLLIN, 0};
  if (!reaped_ && ::poll(&death, 1, kDeathPatienceMs) == 0) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    ::poll(&death, 1, kDeathPatienceMs);
  }
  if (auto finished = finish_destroy(); !finished) {
    log(LogLevel::error, "a slot was not torn down cleanly",
        {{"slot", spec_.slot}, {"error", finished.error().message}});
  }
}

Room::Room(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Room::~Room() = default;

int Room::control_fd() const {
  return impl_->control_.get();
}
std::optional<Event> Room::next_event() {
  return impl_->next_event();
}

Expected<void> Room::start(std::uint64_t command, const Command& what, CommandFds fds) {
  return impl_->start(command, what, std::move(fds));
}

Expected<void> Room::signal(std::uint64_t command, int signal_number) {
  protocol::Signal message;
  message.command = command;
  message.number = signal_number;
  return impl_->send(&message, sizeof message);
}

Expected<void> Room::signal_foreground(int terminal, int signal_number) {
  protocol::SignalForeground message;
  message.number = signal_number;
  return impl_->send(&message, sizeof message, {terminal});
}

Expected<void> Room::kill_all(std::uint64_t command) {
  protocol::KillAll message;
  message.command = command;
  return impl_->send(&message, sizeof message);
}

int Room::root_fd() const {
  return impl_->root_.get();
}
int Room::workspace_fd() const {
  return impl_->workspace_.get();
}
UniqueFd Room::take_listener() {
  return std::move(impl_->listener_);
}
UniqueFd Room::take_mounts() {
  return std::move(impl_->mounts_);
}
std::uint32_t Room::host_uid() const {
  return impl_->host_id_of(impl_->user().uid, ::geteuid());
}
std::uint32_t Room::host_gid() const {
  return impl_->host_id_of(impl_->user().gid, ::getegid());
}

GroupUsage Room::usage() const {
  return impl_->group_ ? impl_->group_->usage() : GroupUsage{};
}
GroupUsage Room::memory_usage() const {
  return impl_->group_ ? impl_->group_->memory_usage() : GroupUsage{};
}
std::optional<GroupUsage> Room::command_usage(std::uint64_t command) const {
  return impl_->command_usage(command);
}
void Room::reset_peak() {
  if (impl_->group_) impl_->group_->reset_peak();
}
int Room::keeper_pid() const {
  return impl_->pid_;
}

void Room::begin_destroy() {
  impl_->begin_destroy();
}
int Room::death_fd() const {
  return impl_->pidfd_.get();
}
Expected<void> Room::finish_destroy() {
  return impl_->finish_destroy();
}

}  // namespace berth::isolation
