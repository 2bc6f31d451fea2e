// SPDX-License-Identifier: Apache-2.0
// Where a message's body ends, for both sides. Holds no bytes: they stay in the InputBuffer or go straight into the
// caller's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/http/chunked.hpp"
#include "base/http/input_buffer.hpp"
#include "berth/error.hpp"

namespace berth::http {

class Body {
 public:
  static Body none() { return Body(Framing::length, 0); }
  static Body sized(std::uint64_t length) { return Body(Framing::length, length); }
  static Body chunked() { return Body(Framing::chunked, 0); }
  static Body until_close() { return Body(Framing::until_close, 0); }

  [[nodiscard]] bool done() const;
  // Moves what the buffer already holds of the body into `into`; 0 when it is done or needs more input.
  [[nodiscard]] Expected<std::size_t> take(InputBuffer& buffer, std::span<char> into);
  // How many of the next bytes on the wire are certainly body. note_direct() tells that they were received past the
  // buffer.
  [[nodiscard]] std::uint64_t direct() const;
  void note_direct(std::size_t count);
  // The peer closed: true when that is how this body ends.
  [[nodiscard]] bool end_of_input();

 private:
  enum class Framing { length, chunked, until_close };
  Body(Framing framing, std::uint64_t left) : framing_(framing), left_(left) {}

  Framing framing_;
  std::uint64_t left_;
  bool closed_ = false;
  ChunkedDecoder chunks_;
};

}  // namespace berth::http
