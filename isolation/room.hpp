// SPDX-License-Identifier: Apache-2.0
// One slot's kernel objects: namespaces, root, control group and keeper (pid 1 inside, which starts every command).
// No Asio here: a Room is a descriptor to poll and a non-blocking event source, so that slotd wraps it in a coroutine and a
// test drives it with poll(2). Single-threaded: all calls from the thread that made it.
//
// Rung three (isolation none): no namespaces and no root. The keeper is a plain child and subreaper, /workspace does not
// exist as a path (a cwd below it is mapped to work_dir/slots/SLOT, emptied by begin()), root_fd() is the machine's /,
// and begin_destroy() lets the keeper kill its descendants instead of killing it.
// Measures dropped for a test: mount_namespace is refused alone; pid_namespace takes fresh_proc along; without
// private_root the machine's own top-level directories are shown, writable; the others go alone.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/fd.hpp"
#include "berth/container_spec.hpp"
#include "berth/error.hpp"
#include "isolation/plan.hpp"

namespace berth::isolation {

// Where slots whose network is `allow` find their proxy, on their own loopback.
inline constexpr std::uint16_t kProxyPort = 3128;

// All that the keeper knows of a command. Environment is exactly `env`; nothing is inherited.
struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in the PATH of `env` inside the slot when it has no slash
  std::vector<std::string> env;   // "NAME=value"
  std::string cwd = "/workspace"; // inside the slot; must exist and, resolved, lie in the slot's own root
  bool tty = false;               // fds.in is a PTY slave to make the controlling terminal
  bool no_network = false;        // narrower than the slot: own empty network namespace for this command alone
  std::optional<std::uint64_t> cpu_seconds;      // RLIMIT_CPU
  std::optional<std::uint64_t> memory_bytes;     // a group of its own below the slot's, else RLIMIT_DATA
  std::optional<std::uint64_t> pids;             // likewise, else RLIMIT_NPROC where it binds
};

struct CommandFds {
  UniqueFd in;   // none: the slot's own /dev/null
  UniqueFd out;
  UniqueFd err;
};

// Events, in the order in which they happened.
struct Ready {
  MeasureSet in_force;       // as the keeper saw it after building, checked against the plan
  unsigned processes = 0;    // numeric entries of the new /proc other than the keeper: must be 0
  unsigned workspace_entries = 0;
  unsigned open_sockets = 0; // of all families, where the slot has a network namespace of its own
};
struct BuildFailed {
  Error error;  // code "isolation"; the message names the step
};
struct StartFailed {  // the command never ran: exec or cwd failed before it
  std::uint64_t command = 0;
  std::string step;   // "exec", "cwd", "fork", ...
  int error_number = 0;
};
struct Exited {
  std::uint64_t command = 0;
  int wait_status = 0;     // as wait4 gives it: the only source of exit codes
  rusage usage{};          // of the main process and its reaped children
  // Something may be left that no running command's main process answers for: a daemon of this command or of an earlier
  // one. False is exact; true asks for kill_all(), after which the command's number is free.
  bool others_alive = false;
};
struct Killed {  // answer to kill_all(): nothing of the command is alive
  std::uint64_t command = 0;
  unsigned processes = 0;  // how many were signalled
};
struct KeeperGone {};  // the keeper died: everything in the slot is dead or dying; only destroy() is left to do
using Event = std::variant<Ready, BuildFailed, StartFailed, Exited, Killed, KeeperGone>;

// What the slot's control group says; nothing where there is none.
struct GroupUsage {
  std::optional<std::uint64_t> memory_peak_bytes;  // since the last reset_peak()
  std::optional<std::uint64_t> oom_kills;          // since the room was made
  std::optional<std::uint64_t> cpu_microseconds;
  std::optional<std::uint64_t> processes;
};

struct RoomSpec {
  std::string slot;        // "slot_0": host name, control group name
  unsigned index = 0;      // picks the slot's host id range
  std::string workspace_dir;  // storage host: the directory behind /workspace; empty: on the slot's tmpfs
  bool is_setup = false;   // the room whose writes become the layer below all later rooms
};

class Room;

// Per process: the sealed keeper program, the compiled filter, control groups, the shared copy of /etc, the setup layer.
// Must outlive its rooms.
class RoomFactory {
 public:
  // Probes the machine, makes the plan (see make_plan for errors under strict) and prepares what rooms share.
  // `work_dir`: a private directory (0700) of this container, for the /etc copy and the setup layer.
  [[nodiscard]] static Expected<std::unique_ptr<RoomFactory>> create(const ContainerSpec& spec, const std::string& work_dir);
  ~RoomFactory();
  RoomFactory(const RoomFactory&) = delete;
  RoomFactory& operator=(const RoomFactory&) = delete;

  [[nodiscard]] const IsolationPlan& plan() const;
  // What of the plan holds in such a room: setup steps have the network that this process has.
  [[nodiscard]] MeasureSet measures_of(const RoomSpec& room) const;
  [[nodiscard]] const Abilities& abilities() const;
  // Starts building; Ready or BuildFailed follows as an event. Does not block on the new keeper.
  [[nodiscard]] Expected<std::unique_ptr<Room>> begin(RoomSpec spec);
  // After a setup room was destroyed: its writes become the lower layer of every room begun from now on.
  [[nodiscard]] Expected<void> adopt_setup_layer();

  class Impl;

 private:
  explicit RoomFactory(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Room {
 public:
  // Kills the keeper, waits for it (at most 2 s) and removes the control groups.
  ~Room();
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  // Readable when next_event() may have something.
  [[nodiscard]] int control_fd() const;
  // Nothing when no event is waiting. After KeeperGone there are no more.
  [[nodiscard]] std::optional<Event> next_event();

  // Starts a command; `command` is any number that is not in use in this room. Exited or StartFailed follows.
  [[nodiscard]] Expected<void> start(std::uint64_t command, const Command& what, CommandFds fds);
  // Sends a signal to the main process's process group; harmless when it is gone.
  [[nodiscard]] Expected<void> signal(std::uint64_t command, int signal_number);
  // Sends a signal to the process group in the foreground of a terminal whose session lives in this room. The group is
  // looked up and signalled inside the slot, so that no number can mean a stranger.
  [[nodiscard]] Expected<void> signal_foreground(int terminal, int signal_number);
  // SIGKILL to every process of the command, daemons and double forks included; Killed follows (after Exited if it ran).
  // A keeper that does not answer within seconds has been stopped by its own slot's processes: destroy the room.
  [[nodiscard]] Expected<void> kill_all(std::uint64_t command);

  // Descriptors (O_PATH) of the slot's root and of /workspace, valid after Ready; -1 before and after begin_destroy().
  [[nodiscard]] int root_fd() const;
  [[nodiscard]] int workspace_fd() const;
  // Network `allow`: the socket that listens at 127.0.0.1:kProxyPort inside the slot, once, after Ready. The slot's network
  // lives as long as this or any connection of it. None otherwise.
  [[nodiscard]] UniqueFd take_listener();
  // What keeps the slot's mounts, its disk among them, beyond its processes, once, after Ready and before begin_destroy().
  // The last of its processes otherwise takes them down before it counts as dead, which is most of the time that dying
  // takes (6-20 ms of 10-25, measured after 1,000 files). Whoever takes it closes it where that time does not matter. None on rung three, and when the keeper died by itself.
  [[nodiscard]] UniqueFd take_mounts();
  // Host ids that own what the slot's commands make: file work by slotd is done under these (setfsuid).
  [[nodiscard]] std::uint32_t host_uid() const;
  [[nodiscard]] std::uint32_t host_gid() const;

  [[nodiscard]] GroupUsage usage() const;
  // Of usage() only the peak and the kills: cheaper, for every call.
  [[nodiscard]] GroupUsage memory_usage() const;
  void reset_peak();
  // Of a command that was given memory_bytes or pids where there are groups: while it runs, and its last state until
  // its number is used again. Nothing for any other command.
  [[nodiscard]] std::optional<GroupUsage> command_usage(std::uint64_t command) const;
  // Host pid of the keeper, for tests and /proc/PID/smaps_rollup.
  [[nodiscard]] int keeper_pid() const;

  // Closes every descriptor into the slot and kills the keeper; death_fd() becomes readable when all of the slot's
  // processes are dead. Does not wait.
  void begin_destroy();
  [[nodiscard]] int death_fd() const;  // a pidfd
  // After death_fd() is readable: reaps, checks that the control group is empty and removes it. An error means that
  // something survived: the slot must not be handed out.
  [[nodiscard]] Expected<void> finish_destroy();

  class Impl;

 private:
  friend class RoomFactory;
  explicit Room(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::isolation
