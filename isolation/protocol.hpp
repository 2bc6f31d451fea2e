// SPDX-License-Identifier: Apache-2.0
// Messages between a Room (slotd) and its keeper over one SOCK_SEQPACKET pair: one message a packet, each a flat
// structure with a header that carries version, kind and full size, then text. Descriptors ride along by SCM_RIGHTS.
// Both ends come from one build, so the structures are shared as they are; a keeper still checks every length. Only
// libc is used here, because the keeper has nothing else.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace berth::isolation::protocol {

inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::size_t kPacketLimit = std::size_t{64} << 10;  // what goes into one packet, header included
inline constexpr std::size_t kPayloadLimit = std::size_t{4} << 20;  // longer starts travel in a sealed file up to here
inline constexpr std::size_t kFdLimit = 64;
inline constexpr std::size_t kMostGroups = 32;  // supplementary groups of a command
inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
inline constexpr std::uint32_t kNoFd = ~std::uint32_t{0};

enum class Kind : std::uint16_t {
  // to the keeper
  go = 1,  // the id maps are written: exec
  describe,
  start,
  signal,
  kill_all,
  signal_foreground,  // with one descriptor: a terminal
  // from the keeper
  built,  // with descriptors: root, workspace, the proxy's listening socket where one was asked for
  build_failed,
  start_failed,
  exited,
  killed,
};

struct Header {
  std::uint16_t version = kVersion;
  Kind kind{};
  std::uint32_t size = 0;  // of the whole message
};

struct Go {
  Header header{kVersion, Kind::go, sizeof(Go)};
  std::uint32_t become_root = 0;  // setresuid/setresgid to 0 of the new user namespace before exec
  std::uint32_t padding = 0;
};

enum class EntryKind : std::uint32_t {
  link,            // symbolic link name -> source
  directory,       // empty, on the slot's own tmpfs, with `mode`
  overlay,         // copy on write above source
  bind_read_only,  // source with all mounts below it
  bind_shared,     // source itself, writable: only when private_root is dropped
  file,            // a regular file: copied while it is small, else bound read-only
};

// Followed by name and source, both with their final NUL.
struct Entry {
  EntryKind kind{};
  std::uint32_t mode = 0;
  std::uint32_t tree = kNoFd;     // index of a detached mount to use instead of the path `source`
  std::uint16_t name_size = 0;    // NUL included
  std::uint16_t source_size = 0;  // NUL included
};

// What a setup step wrote, as the layer between the system and each slot's own upper directories.
enum class Layer : std::uint32_t { none, write, read };

// Followed by slot, workspace, layer path (each NUL-ended), the entries, then the filter program, 8-aligned.
struct Describe {
  Header header{kVersion, Kind::describe, 0};
  std::uint64_t measures = 0;  // bits of Measure
  std::uint64_t disk_bytes = kNoLimit;
  std::uint64_t disk_inodes = kNoLimit;
  std::uint64_t data_bytes = kNoLimit;  // RLIMIT_DATA
  std::uint64_t processes = kNoLimit;   // RLIMIT_NPROC
  std::uint32_t isolated = 1;           // 0: isolation none, commands run as plain children
  std::uint32_t entries = 0;
  std::uint32_t filter_length = 0;  // in sock_filter
  std::uint32_t slot_size = 0;
  std::uint32_t workspace_size = 0;  // 1 (only NUL): the workspace lies on the slot's tmpfs
  std::uint32_t workspace_tree = kNoFd;
  Layer layer = Layer::none;
  std::uint32_t layer_size = 0;
  std::uint32_t layer_tree = kNoFd;
  std::uint32_t uid = 0;  // of commands, as the slot counts ids; all 0: they stay root
  std::uint32_t gid = 0;
  std::uint32_t group_count = 0;
  std::uint32_t groups[kMostGroups] = {};
  std::uint32_t proxy_port = 0;  // a socket that listens there on the slot's loopback comes with Built; 0: none
  std::uint32_t padding = 0;
};

enum StartFlags : std::uint32_t {
  kTty = 1,
  kNoNetwork = 2,
  kTextInFile = 4,  // first descriptor: a sealed file that holds the text
  kHasIn = 8,
  kHasOut = 16,
  kHasErr = 32,
};

// Followed by the text: cwd, argv..., env..., each NUL-ended. Descriptors: [text file], [in], [out], [err], join files.
struct Start {
  Header header{kVersion, Kind::start, 0};
  std::uint64_t command = 0;
  std::uint64_t cpu_seconds = kNoLimit;
  std::uint64_t data_bytes = kNoLimit;
  std::uint64_t processes = kNoLimit;
  std::uint32_t flags = 0;
  std::uint32_t argc = 0;
  std::uint32_t envc = 0;
  std::uint32_t text_size = 0;
};

struct Signal {
  Header header{kVersion, Kind::signal, sizeof(Signal)};
  std::uint64_t command = 0;
  std::int32_t number = 0;
  std::uint32_t padding = 0;
};

struct SignalForeground {
  Header header{kVersion, Kind::signal_foreground, sizeof(SignalForeground)};
  std::int32_t number = 0;
  std::uint32_t padding = 0;
};

struct KillAll {
  Header header{kVersion, Kind::kill_all, sizeof(KillAll)};
  std::uint64_t command = 0;
};

struct Built {
  Header header{kVersion, Kind::built, sizeof(Built)};
  std::uint64_t measures = 0;
  std::uint32_t processes = 0;
  std::uint32_t workspace_entries = 0;
  std::uint32_t open_sockets = 0;
  std::uint32_t padding = 0;
};

inline constexpr std::size_t kStepSize = 56;

struct BuildFailed {
  Header header{kVersion, Kind::build_failed, sizeof(BuildFailed)};
  std::int32_t error_number = 0;
  std::uint32_t padding = 0;
  char step[kStepSize] = {};
};

struct StartFailed {
  Header header{kVersion, Kind::start_failed, sizeof(StartFailed)};
  std::uint64_t command = 0;
  std::int32_t error_number = 0;
  std::uint32_t padding = 0;
  char step[16] = {};
};

struct Exited {
  Header header{kVersion, Kind::exited, sizeof(Exited)};
  std::uint64_t command = 0;
  std::int32_t wait_status = 0;
  std::uint32_t others_alive = 0;
  rusage usage{};
};

struct Killed {
  Header header{kVersion, Kind::killed, sizeof(Killed)};
  std::uint64_t command = 0;
  std::uint32_t processes = 0;
  std::uint32_t padding = 0;
};

// Walks a received message; every step is checked, and after the first failure everything is empty.
class Reader {
 public:
  Reader(const char* data, std::size_t size) : at_(data), left_(size) {}

  template <typename T>
  [[nodiscard]] bool take(T& value) {
    const char* bytes = take_bytes(sizeof(T));
    if (bytes != nullptr) std::memcpy(&value, bytes, sizeof(T));
    return bytes != nullptr;
  }
  [[nodiscard]] const char* take_bytes(std::size_t size) {
    if (size > left_) {
      left_ = 0;
      return nullptr;
    }
    const char* bytes = at_;
    at_ += size;
    left_ -= size;
    return bytes;
  }
  // `size` counts the final NUL, which must be the only one.
  [[nodiscard]] const char* take_string(std::size_t size) {
    const char* text = size == 0 ? nullptr : take_bytes(size);
    return text != nullptr && std::memchr(text, 0, size) == text + size - 1 ? text : nullptr;
  }
  // A string that ends somewhere in what is left.
  [[nodiscard]] const char* take_string() {
    const void* end = std::memchr(at_, 0, left_);
    if (end == nullptr) return nullptr;
    return take_bytes(static_cast<std::size_t>(static_cast<const char*>(end) - at_) + 1);
  }
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  const char* at_;
  std::size_t left_;
};

// True when `data` is a whole message of kind T: same version, same size on the wire as in its header.
template <typename T>
[[nodiscard]] bool parse(const char* data, std::size_t size, Kind kind, T& message) {
  Reader reader(data, size);
  return reader.take(message) && message.header.version == kVersion && message.header.kind == kind &&
         message.header.size == size;
}

[[nodiscard]] constexpr std::size_t aligned8(std::size_t size) {
  return (size + 7) & ~std::size_t{7};
}

}  // namespace berth::isolation::protocol
