// SPDX-License-Identifier: Apache-2.0
#include "base/http/chunked.hpp"

#include <charconv>
#include <limits>
#include <optional>

#include "base/http/syntax.hpp"

namespace berth::http {
namespace {

tl::unexpected<Error> refuse(const char* message) {
  return fail("bad_request", message);
}

// The length of the line that starts `input`, its CRLF included; nothing when its end has not come yet. `over` is the
// error of a line that is longer than `limit`.
Expected<std::optional<std::size_t>> line_size(std::string_view input, std::size_t limit, const Error& over) {
  const std::string_view within = input.substr(0, limit);
  const std::size_t newline = within.find('\n');
  const std::string_view line = within.substr(0, newline);
  const bool ends = newline != std::string_view::npos;
  if (ends && !line.ends_with('\r')) return refuse("LF without CR in the body's framing");

  std::string_view text = line;
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (!is_field_value(text)) return refuse("control character in the body's framing");
  if (ends) return std::optional<std::size_t>(newline + 1);
  if (input.size() >= limit) return tl::unexpected(over);
  return std::optional<std::size_t>();
}

std::optional<std::uint64_t> parse_chunk_size(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.empty() || digits.size() > 16 || error != std::errc() || stop != end) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return value;
}

}  // namespace

Expected<std::size_t> ChunkedDecoder::skip_framing(std::string_view input) {
  std::size_t skipped = 0;
  while (state_ != State::data && state_ != State::done) {
    const Expected<std::size_t> step = skip_one(input.substr(skipped));
    if (!step) return step;
    if (*step == 0) break;
    skipped += *step;
  }
  return skipped;
}

void ChunkedDecoder::take_data(std::uint64_t count) {
  left_ -= count;
  if (count > 0 && left_ == 0) state_ = State::data_end;
}

Expected<std::size_t> ChunkedDecoder::skip_one(std::string_view input) {
  if (state_ == State::size_line) return read_size_line(input);
  if (state_ == State::data_end) return read_data_end(input);
  return read_trailer_line(input);
}

Expected<std::size_t> ChunkedDecoder::read_size_line(std::string_view input) {
  static const Error over{"bad_request", "chunk line longer than 256 bytes", {}};
  const auto size = line_size(input, kMaxChunkLine, over);
  if (!size) return tl::unexpected(size.error());
  if (!*size) return std::size_t{0};
  const auto length = parse_chunk_size(input.substr(0, **size - 2));
  if (!length) return refuse("malformed chunk size");
  left_ = *length;
  state_ = left_ == 0 ? State::trailers : State::data;
  return **size;
}

Expected<std::size_t> ChunkedDecoder::read_data_end(std::string_view input) {
  if (input.empty() || input == "\r") return std::size_t{0};
  if (!input.starts_with("\r\n")) return refuse("chunk longer than its size");
  state_ = State::size_line;
  return std::size_t{2};
}

Expected<std::size_t> ChunkedDecoder::read_trailer_line(std::string_view input) {
  static const Error over{"too_large", "trailers larger than 8 KiB", {}};
  const auto size = line_size(input, kMaxTrailers - trailer_bytes_, over);
  if (!size) return tl::unexpected(size.error());
  if (!*size) return std::size_t{0};
  if (**size == 2) {
    state_ = State::done;
    return std::size_t{2};
  }
  if (const auto field = parse_field_line(input.substr(0, **size - 2)); !field) return tl::unexpected(field.error());
  trailer_bytes_ += **size;
  return **size;
}

}  // namespace berth::http
