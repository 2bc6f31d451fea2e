// SPDX-License-Identifier: Apache-2.0
// Owners of file descriptors and the few system-call wrappers everybody needs. All descriptors made here are close-on-exec.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "berth/error.hpp"

namespace berth {

// Owns one descriptor; -1 means none. Not thread-safe by itself; movable between threads.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
[[nodiscard]] Expected<Pipe> make_pipe(int flags = 0);  // flags beside O_CLOEXEC, e.g. O_NONBLOCK
[[nodiscard]] Expected<Pipe> make_seqpacket_pair();      // AF_UNIX SOCK_SEQPACKET; both ends equal

// An anonymous file holding `content`, sealed against any change, positioned at its start.
[[nodiscard]] Expected<UniqueFd> make_sealed_memfd(std::string_view name, std::string_view content);

// Blocking whole-file helpers for configuration and tests; `limit` bounds the memory they take.
[[nodiscard]] Expected<std::string> read_file(const std::string& path, std::size_t limit = std::size_t{64} << 20);
[[nodiscard]] Expected<std::string> read_all(int fd, std::size_t limit);
[[nodiscard]] Expected<void> write_all(int fd, std::string_view data);
// Replaces `path` as a whole (temporary file beside it, rename), so that no reader sees half of it.
[[nodiscard]] Expected<void> write_file_atomically(const std::string& path, std::string_view data, unsigned mode = 0600);

}  // namespace berth
