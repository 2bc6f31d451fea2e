// SPDX-License-Identifier: Apache-2.0
// Listening sockets: made, found stale, taken away.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::http {

// A bound, listening, non-blocking socket. A unix socket's file is removed at the end if it is still this one's.
class Listener {
 public:
  // `address` as in Server::listen. Errors: "listen".
  [[nodiscard]] static Expected<Listener> open(const std::string& address, std::uint16_t port);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  [[nodiscard]] UniqueFd take_fd() { return std::move(fd_); }
  [[nodiscard]] int family() const { return family_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  Listener() = default;
  static Expected<Listener> open_unix(const std::string& path);
  static Expected<Listener> open_tcp(const std::string& address, std::uint16_t port);

  UniqueFd fd_;
  int family_ = 0;
  std::uint16_t port_ = 0;
  std::string path_;
  unsigned long inode_ = 0;
};

}  // namespace berth::http
