// SPDX-License-Identifier: Apache-2.0
// What may stand between a connection's bytes and its socket: TLS (base/tls). base/http knows this interface alone, so
// that a program that speaks no TLS links none.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "berth/error.hpp"

namespace berth::http {

// Bound to one non-blocking socket, which its Wire owns and which outlives it; one thread. Each operation is like a
// system call on that socket: -1 comes with errno, EAGAIN where the socket has to become ready first (for writing if
// wants_write(), else for reading). After another error nothing goes through any more.
class Layer {
 public:
  virtual ~Layer() = default;

  [[nodiscard]] virtual int shake_hands() = 0;  // 0: both sides are ready
  // 0: the peer has said that it sends nothing more. A socket that ends without these words is an error.
  [[nodiscard]] virtual ssize_t receive(std::span<char> into) = 0;
  [[nodiscard]] virtual ssize_t peek() = 0;  // receive() of one byte that stays
  // How many bytes of `parts` were taken. After EAGAIN the same parts have to come again.
  [[nodiscard]] virtual ssize_t send(std::span<const iovec> parts) = 0;
  [[nodiscard]] virtual int end() = 0;  // 0: the peer has been told that nothing more comes
  [[nodiscard]] virtual bool wants_write() const = 0;
  // Why the handshake failed, without a byte that the peer chose. Codes: "tls"; "plain" (the peer speaks none);
  // "disconnected" (it went away).
  [[nodiscard]] virtual Error problem() const = 0;
};

// For an accepted socket, and for one that is connected to `host` (as in an Address). Null: out of memory.
using AcceptLayer = std::function<std::unique_ptr<Layer>(int fd)>;
using DialLayer = std::function<std::unique_ptr<Layer>(int fd, const std::string& host)>;

}  // namespace berth::http
