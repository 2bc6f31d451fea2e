// SPDX-License-Identifier: Apache-2.0
// From clone to exec of the keeper. The child shares nothing with us but runs in a copy of a process that may have
// other threads, so it uses bare system calls only.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/room_impl.hpp"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define BERTH_BARE __attribute__((no_sanitize("thread", "address", "undefined")))
#else
#define BERTH_BARE
#endif

namespace berth::isolation {
namespace {

constexpr int kControlInKeeper = 3;
constexpr long kGoLimitSeconds = 60;  // a parent that takes longer to write two maps will not come back

struct ChildPlan {
  int control = -1;
  int parents_end = -1;  // ours would keep the socket open when the parent is gone
  int keeper = -1;
  const int* join = nullptr;
  std::size_t join_count = 0;
  bool may_set_groups = false;
};

[[noreturn]] BERTH_BARE void child_fails(int control, const char* step, int error_number) {
  protocol::BuildFailed message;
  message.error_number = error_number;
  for (std::size_t i = 0; i + 1 < sizeof message.step && step[i] != 0; ++i) message.step[i] = step[i];
  ::syscall(SYS_sendto, control, &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
  for (;;) ::syscall(SYS_exit_group, 1);
}

BERTH_BARE void become_root(const ChildPlan& plan) {
  if (plan.may_set_groups && ::syscall(SYS_setgroups, 0, nullptr) != 0) child_fails(plan.control, "setgroups", errno);
  if (::syscall(SYS_setresgid, 0, 0, 0) != 0) child_fails(plan.control, "setresgid", errno);
  if (::syscall(SYS_setresuid, 0, 0, 0) != 0) child_fails(plan.control, "setresuid", errno);
}

// Nothing when the parent is gone, or busy for so long that it might as well be: children that were cloned at the same
// time hold each other's sockets open.
BERTH_BARE bool receive_go(int control, protocol::Go& go) {
  pollfd waiting{control, POLLIN, 0};
  const timespec limit{kGoLimitSeconds, 0};
  if (::syscall(SYS_ppoll, &waiting, 1, &limit, nullptr, 0) != 1) return false;
  const long got = ::syscall(SYS_recvfrom, control, &go, sizeof go, MSG_DONTWAIT, nullptr, nullptr);
  return got == sizeof go && go.header.kind == protocol::Kind::go;
}

[[noreturn]] BERTH_BARE void run_child(const ChildPlan& plan) {
  ::syscall(SYS_close, plan.parents_end);
  // While the parent writes our maps we join our groups, which is cheap only for a single thread moving itself.
  for (std::size_t i = 0; i < plan.join_count; ++i) {
    if (::syscall(SYS_write, plan.join[i], "0", 1) != 1) child_fails(plan.control, "joining the control group", errno);
  }
  protocol::Go go;
  if (!receive_go(plan.control, go)) ::syscall(SYS_exit_group, 1);
  if (go.become_root != 0) become_root(plan);
  if (::syscall(SYS_dup3, plan.control, kControlInKeeper, 0) != kControlInKeeper) {
    child_fails(plan.control, "passing the control socket", errno);
  }
  ::syscall(SYS_close_range, kControlInKeeper + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  char name[] = "keeper";
  char* const argv[] = {name, nullptr};
  char* const env[] = {nullptr};
  ::syscall(SYS_execveat, plan.keeper, "", argv, env, AT_EMPTY_PATH);
  child_fails(kControlInKeeper, "exec of the keeper", errno);
}

unsigned long namespace_flags(const RoomShared& shared, const RoomSpec& room) {
  if (!shared.isolated) return 0;
  constexpr struct {
    Measure measure;
    unsigned long flag;
  } kFlags[] = {{Measure::user_namespace, CLONE_NEWUSER}, {Measure::mount_namespace, CLONE_NEWNS},
                {Measure::pid_namespace, CLONE_NEWPID},   {Measure::ipc_namespace, CLONE_NEWIPC},
                {Measure::uts_namespace, CLONE_NEWUTS},   {Measure::network_namespace, CLONE_NEWNET}};
  unsigned long flags = 0;
  const MeasureSet measures = shared.measures_of(room);
  for (const auto& row : kFlags) flags |= has(measures, row.measure) ? row.flag : 0;
  return flags;
}

Expected<UniqueFd> move_high(UniqueFd fd) {
  UniqueFd high(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestFd));
  if (!high) return fail_errno("duplicating a descriptor", errno);
  return high;
}

}  // namespace

Expected<Launched> launch_keeper(const RoomShared& shared, const RoomSpec& room, std::uint32_t id_base,
                                 const std::vector<UniqueFd>& join) {
  auto pair = make_seqpacket_pair();
  if (!pair) return tl::unexpected(pair.error());
  auto far_end = move_high(std::move(pair->read));
  if (!far_end) return tl::unexpected(far_end.error());
  std::vector<int> join_numbers;
  for (const auto& fd : join) join_numbers.push_back(fd.get());
  ChildPlan plan{far_end->get(),      pair->write.get(),
                 shared.keeper.get(), join_numbers.data(),
                 join_numbers.size(), shared.ids == IdMode::shifted || shared.ids == IdMode::identity};
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, namespace_flags(shared, room) | CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
  if (pid == 0) run_child(plan);
  if (pid < 0) return fail_errno("cloning the keeper", errno);
  Launched launched{static_cast<pid_t>(pid), UniqueFd(pidfd), std::move(pair->write)};
  far_end->reset();
  auto mapped = write_id_maps(launched.pid, shared.ids, id_base);
  protocol::Go go;
  go.become_root = shared.ids != IdMode::none ? 1 : 0;
  if (mapped) mapped = send_packet(launched.control.get(), &go, sizeof go);
  if (mapped) return launched;
  ::kill(launched.pid, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(launched.pidfd.get()), &info, WEXITED);  // killed before it did anything
  return tl::unexpected(mapped.error().within("starting the keeper"));
}

}  // namespace berth::isolation
