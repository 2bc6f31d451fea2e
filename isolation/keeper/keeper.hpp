// SPDX-License-Identifier: Apache-2.0
// The keeper: pid 1 of a slot. It builds the slot's root, gives up what it no longer needs, then starts, reaps and
// kills commands on request. One thread, libc only, no heap of its own; everything large lies in .bss and costs nothing
// until touched. It never waits for anything but its two descriptors: the control socket and a signalfd.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "isolation/plan.hpp"
#include "isolation/protocol.hpp"

namespace berth::keeper {

namespace protocol = isolation::protocol;
using isolation::Measure;

inline constexpr int kControl = 3;  // where slotd puts its end of the socket before exec

struct State {
  std::uint64_t measures = 0;  // in force, bit per Measure
  bool isolated = true;
  bool tagged = false;  // commands are told apart by their uts namespace (needs a pid namespace of our own)
  int proc = -1;        // directory of a procfs that shows this pid namespace
  // Whom commands run as.
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t group_count = 0;
  std::uint32_t groups[protocol::kMostGroups] = {};
};
extern State state;

[[nodiscard]] inline bool in_force(Measure measure) {
  return ((state.measures >> static_cast<unsigned>(measure)) & 1) != 0;
}

// --- channel.cpp ---
struct Packet {
  const char* data = nullptr;  // valid until the next receive()
  std::size_t size = 0;
  int fds[protocol::kFdLimit];
  unsigned fd_count = 0;
};
enum class Received { packet, nothing, closed };
// Waits when `wait`; descriptors in the packet are close-on-exec and belong to the caller.
[[nodiscard]] Received receive(Packet& packet, bool wait);
// Queues a message, at most 256 bytes long, and sends what the socket takes. Never waits.
void post(const void* message, std::size_t size);
void flush_posts();
[[nodiscard]] bool posts_waiting();
[[nodiscard]] bool posts_full();
[[nodiscard]] bool post_with_fds(const void* message, std::size_t size, const int* fds, unsigned count);
// Reports the step with errno and ends the keeper. Only while building.
[[noreturn]] void die(const char* step);

// --- description.cpp: the slot as slotd described it; pointers into the packet ---
struct Description {
  protocol::Describe fixed;
  const char* slot = "";
  const char* workspace = "";
  const char* layer = "";
  const char* entries = nullptr;  // packed Entry records
  std::size_t entries_size = 0;
  const char* filter = nullptr;
  const int* trees = nullptr;  // detached mounts
  unsigned tree_count = 0;
};
struct Entry {
  protocol::Entry fixed;
  const char* name = "";
  const char* source = "";
};
[[nodiscard]] bool read_description(const Packet& packet, Description& description);
[[nodiscard]] bool next_entry(protocol::Reader& reader, Entry& entry);
// -1 when `index` names none.
[[nodiscard]] int tree_of(const Description& description, std::uint32_t index);

// --- root.cpp, system.cpp, devices.cpp, privileges.cpp: each ends the keeper on failure ---
void build_root(const Description& description);
void show_system(const Description& description);
void make_devices();
void make_proc();
void raise_loopback(void (*failed)(const char* step));
void set_limits(const Description& description);
void drop_privileges(const Description& description);
// What the kernel confirms of state.measures.
[[nodiscard]] std::uint64_t confirmed_measures();

// --- paths.cpp ---
// Fixed-size paths: building fails rather than cut one.
struct Path {
  char text[512];
  explicit Path(const char* first, const char* second = "", const char* third = "", const char* fourth = "");
  operator const char*() const { return text; }
};
void make_directory(const char* path, mode_t mode);
void bind(const char* source, const char* target, bool recursive);
// Bind-remounts with `flags` added to those that the mount already has (locked ones must be repeated).
void restrict_mount(const char* target, unsigned long flags);

// --- files.cpp ---
// Shows a regular file of the image at `target`: a copy with its owner and mode while it is small, else the file itself,
// read-only. `tree`: a detached mount of it to use instead, or -1.
void show_file(const char* source, const char* target, int tree);

// --- listen.cpp ---
// A socket that listens on the slot's own loopback; ends the keeper on failure.
[[nodiscard]] int listen_on_loopback(std::uint16_t port);

// --- verify.cpp ---
[[nodiscard]] protocol::Built inspect();

// --- spawn.cpp ---
struct Launch {
  pid_t pid = -1;
  std::uint64_t tag = 0;
  int error_number = 0;  // not 0: nothing runs
  const char* step = "";
};
[[nodiscard]] Launch launch(const Packet& packet);

// --- commands.cpp ---
void start_command(const Packet& packet);
void signal_command(const protocol::Signal& message);
// The first descriptor of the packet is the terminal.
void signal_foreground(const protocol::SignalForeground& message, const Packet& packet);
// Collects ended children, a bounded number at a time; true when more are waiting.
[[nodiscard]] bool reap();

// --- sweep.cpp ---
void begin_kill(std::uint64_t command);
// Next pass over the processes if a kill is going on. Returns how long to wait before the next, in ns; -1: no kill.
[[nodiscard]] std::int64_t sweep();
// Without a pid namespace of its own nothing dies with the keeper: this ends every descendant.
void end_everything();

// --- table.cpp ---
struct Command {
  std::uint64_t id = 0;
  std::uint64_t tag = 0;  // 0: none, or taken over by a newer command, so that nothing of this one lives
  pid_t pid = 0;          // main process; 0 once reaped
  bool killing = false;
  bool seen_in_pass = false;  // sweep: some process of it was alive in this pass
  unsigned empty_passes = 0;
  unsigned signalled = 0;
  bool in_use = false;
};
inline constexpr unsigned kMaxCommands = 1024;
[[nodiscard]] Command* find_command(std::uint64_t id);
[[nodiscard]] Command* find_by_pid(pid_t pid);
[[nodiscard]] Command* add_command(std::uint64_t id);  // null: full or in use
void drop_command(Command* command);
[[nodiscard]] Command* commands_begin();
[[nodiscard]] Command* commands_end();

// --- proc.cpp ---
// Reads a link such as "uts:[4026531838]" below the procfs; 0 with errno when it cannot be read.
[[nodiscard]] std::uint64_t namespace_of(const char* path);
// Parent and session of a process; false when it is gone.
[[nodiscard]] bool read_stat(pid_t pid, pid_t& parent, pid_t& session);
// Calls visit(pid) for each numeric entry of the directory, until it returns false.
bool for_each_number(int directory, bool (*visit)(pid_t pid, void* context), void* context);
[[nodiscard]] char* write_number(char* to, std::uint64_t value);  // decimal digits; returns the end

}  // namespace berth::keeper
