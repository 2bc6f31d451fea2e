// SPDX-License-Identifier: Apache-2.0
// Strict decoder of the chunked coding, for request and answer bodies: every line bounded, extensions skipped, trailers
// checked for form and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "berth/error.hpp"

namespace berth::http {

inline constexpr std::size_t kMaxChunkLine = 256;                  // size, extensions and CRLF
inline constexpr std::size_t kMaxTrailers = std::size_t{8} << 10;  // all trailer lines together

class ChunkedDecoder {
 public:
  // How many bytes of `input` are framing that has been understood; none when the next bytes are data, the body is
  // done, or more input is needed. Errors: "bad_request", "too_large" (trailers over their bound).
  [[nodiscard]] Expected<std::size_t> skip_framing(std::string_view input);

  // Data bytes that follow now.
  [[nodiscard]] std::uint64_t data_left() const { return state_ == State::data ? left_ : 0; }
  void take_data(std::uint64_t count);
  [[nodiscard]] bool done() const { return state_ == State::done; }

 private:
  enum class State { size_line, data, data_end, trailers, done };

  Expected<std::size_t> skip_one(std::string_view input);
  Expected<std::size_t> read_size_line(std::string_view input);
  Expected<std::size_t> read_data_end(std::string_view input);
  Expected<std::size_t> read_trailer_line(std::string_view input);

  State state_ = State::size_line;
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace berth::http
